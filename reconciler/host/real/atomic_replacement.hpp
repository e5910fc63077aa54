#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "host/real/rooted_directory.hpp"

namespace gpuhost {

/// Adds `text` to the end of the target, which is made with mode 0600 if it is missing, and syncs it. When
/// not all of it can be written, nothing of it stays.
[[nodiscard]] Result<void> append_durably(const RootedDirectory::Entry& target, const std::string& path,
                                          std::string_view text);

/// Puts `content`, or what `fill` writes to the file it is given, in place of `target` (made with `mode` if
/// it is not there) so that a reader, and the disk after a power failure, has the old file or the new one,
/// never a part. `path` is for errors. On failure, of `fill` too, the temporary is gone.
[[nodiscard]] Result<void> replace_atomically(const RootedDirectory::Entry& target, const std::string& path,
                                              std::string_view content, unsigned mode);
[[nodiscard]] Result<void> replace_atomically(const RootedDirectory::Entry& target, const std::string& path,
                                              const std::function<Result<void>(const UniqueFd&)>& fill,
                                              unsigned mode);

/// False: errno says why.
[[nodiscard]] bool write_all(const UniqueFd& file, std::string_view content);

/// Makes what was renamed or removed in a directory last.
[[nodiscard]] Result<void> sync_directory(const UniqueFd& directory, const std::string& path);

}  // namespace gpuhost
