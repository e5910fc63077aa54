#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/files.hpp"
#include "host/real/rooted_directory.hpp"

namespace gpuhost {

/// The files under a directory, seen as if it were "/". Holds no state but the root, so any thread may use
/// it.
///
/// `replace` on a symbolic link replaces the file that the link leads to, as an editor does, so that a link
/// to a shared or versioned file stays one; `remove` takes away the link itself. Both stay inside the root.
class LinuxFiles final : public FileReader, public FileWriter {
 public:
  explicit LinuxFiles(const std::string& root);

  [[nodiscard]] Result<std::string> read(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) const override;
  [[nodiscard]] Result<std::string> link_target(const std::string& path) const override;
  [[nodiscard]] Result<FileStatus> status(const std::string& path) const override;
  [[nodiscard]] Result<std::string> digest(const std::string& path) const override;

  Result<void> write_attribute(const std::string& path, std::string_view text) override;
  /// Owner, group and permission bits of a replaced file are kept; extended attributes are not. On failure
  /// the old file is untouched and no temporary is left.
  Result<void> replace(const std::string& path, std::string_view content, unsigned mode) override;
  Result<void> append(const std::string& path, std::string_view text) override;
  Result<void> copy(const std::string& from, const std::string& to, const std::string& sha256) override;
  Result<void> remove(const std::string& path) override;

 private:
  [[nodiscard]] Result<UniqueFd> open_itself(const std::string& path) const;

  RootedDirectory root_;
};

}  // namespace gpuhost
