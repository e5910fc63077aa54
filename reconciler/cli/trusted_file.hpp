#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"

namespace gpuhost {

/// The content of a file or pipe, at most `limit` + 1 bytes of it, so that the caller sees that it is too
/// long. A pipe that has no writer is empty.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit);

/// The same for a file that nobody but root can have written: the file and every directory above it belong to
/// root and can be written by nobody else, and none is a symbolic link. Checked on the descriptors that are
/// then used, so that nothing can be exchanged between check and use. denied: somebody else could write it.
[[nodiscard]] Result<std::string> read_trusted_file(const std::string& path, std::size_t limit);

}  // namespace gpuhost
