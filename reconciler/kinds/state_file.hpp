#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// One string that a kind remembers on the host because nothing else there tells it: JSON with
/// `format_version`.
struct StateFile {
  const char* path;
  const char* field;

  /// Nothing: there is no file. stale: written by a newer gpuhost; invalid: not readable as such a file.
  [[nodiscard]] Result<std::optional<std::string>> read(const FileReader& files) const;
  Result<void> write(FileWriter& files, std::string_view value) const;
};

}  // namespace gpuhost
