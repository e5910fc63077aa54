#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "host/files.hpp"
#include "host/real/adapter_library.hpp"
#include "host/real/device_writes.hpp"
#include "host/real/rooted_directory.hpp"

namespace gpuhost {

/// The files under a directory, seen as if it were "/". Any thread may use it.
///
/// An attribute is written by a child, since the kernel may keep its writer for ever; one that is not done in
/// its time is left alone and put on record. From then on neither that device is written to, nor what the
/// kernel would keep a reader of waiting for is read.
///
/// `replace` on a symbolic link replaces the file that the link leads to, as an editor does, so that a link
/// to a shared or versioned file stays one; `remove` takes away the link itself. Both stay inside the root.
class LinuxFiles final : public FileReader, public FileWriter {
 public:
  /// `writer` is the program that writes attributes.
  explicit LinuxFiles(const std::string& root, std::string writer = installed_part("gpuhost-write-attribute"),
                      std::chrono::seconds write_limit = std::chrono::seconds(60));

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
  /// busy: a write to the device has not come back.
  [[nodiscard]] Result<void> check_free(const std::string& device) const;
  [[nodiscard]] std::unexpected<Error> abandon(const AbandonedWrite& write);

  RootedDirectory root_;
  mutable DeviceWrites writes_;
};

}  // namespace gpuhost
