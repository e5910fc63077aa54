#pragma once

#include <string>
#include <vector>

#include "host/files.hpp"

namespace gpuhost {

/// The names in a directory; none if it is not there. Other errors stay: what cannot be read is not empty.
[[nodiscard]] inline Result<std::vector<std::string>> list_or_none(const FileReader& files,
                                                                   const std::string& directory) {
  auto names = files.list(directory);
  if (!names && names.error().kind == ErrorKind::not_found) return std::vector<std::string>{};
  return names;
}

}  // namespace gpuhost
