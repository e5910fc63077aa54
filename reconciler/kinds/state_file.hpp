#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "host/state_record.hpp"

namespace gpuhost {

/// One string that a kind remembers on the host because nothing else there tells it.
struct StateFile {
  const char* path;
  const char* field;

  /// Nothing: there is no file. stale: written by a newer gpuhost; invalid: not readable as such a file.
  [[nodiscard]] Result<std::optional<std::string>> read(const FileReader& files) const;
  Result<void> write(const FileReader& reader, FileWriter& files, std::string_view value) const;

 private:
  [[nodiscard]] StateRecord record() const { return {path, "remove it; gpuhost makes it again"}; }
};

}  // namespace gpuhost
