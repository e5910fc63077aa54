#pragma once

#include <string>

#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// A file's text; empty where there is no such file.
[[nodiscard]] inline Result<std::string> text_or_none(const FileReader& files, const std::string& path) {
  auto text = files.read(path);
  if (!text && text.error().kind == ErrorKind::not_found) return std::string();
  return text;
}

}  // namespace gpuhost
