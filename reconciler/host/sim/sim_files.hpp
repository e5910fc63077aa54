#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "host/files.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// The file tree of a simulated host: a view of HostFile::files that resolves symbolic links and keeps
/// directories in being. A directory has an entry of its own only while it is empty. Not for several threads.
class SimFiles final : public FileReader, public FileWriter {
 public:
  using Entries = std::map<std::string, HostFile::Entry>;
  explicit SimFiles(Entries& entries) : entries_(entries) {}

  [[nodiscard]] Result<std::string> read(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) const override;
  [[nodiscard]] Result<std::string> link_target(const std::string& path) const override;
  [[nodiscard]] Result<FileStatus> status(const std::string& path) const override;
  [[nodiscard]] Result<std::string> digest(const std::string& path) const override;

  Result<void> write_attribute(const std::string& path, std::string_view text) override;
  Result<void> replace(const std::string& path, std::string_view content, unsigned mode = 0644) override;
  Result<void> append(const std::string& path, std::string_view text) override;
  Result<void> copy(const std::string& from, const std::string& to, const std::string& sha256) override;
  Result<void> remove(const std::string& path) override;

  /// The absolute path without symbolic links; its last part need not exist. With `follow_last` false a link
  /// at the end stays. Errors: invalid for a relative path, io for a loop.
  [[nodiscard]] Result<std::string> resolve(const std::string& path, bool follow_last = true) const;

  /// What the kernel itself does, without permission checks: an entry is there from now on, under real
  /// directories.
  void put(const std::string& path, HostFile::Entry entry);
  void put_text(const std::string& path, std::string text) { put(path, HostFile::Text{std::move(text)}); }
  /// A path and all below it is gone; the directory above it stays.
  void erase_tree(const std::string& path);
  /// The content, or nothing when there is none to be had.
  [[nodiscard]] std::optional<std::string> text(const std::string& path) const;
  /// Names in a directory; none when it is no directory.
  [[nodiscard]] std::vector<std::string> names(const std::string& path) const;

 private:
  [[nodiscard]] const HostFile::Entry* find(const std::string& path) const;
  /// How much of a path are directories without a link among them, as far as its neighbours among the entries
  /// tell: 0, or up to a '/' or the end.
  [[nodiscard]] std::size_t length_of_known_directories(const std::string& path) const;
  [[nodiscard]] bool has_children(const std::string& path) const;
  [[nodiscard]] bool is_directory(const std::string& path) const;
  void keep_parent(const std::string& path);
  [[nodiscard]] Result<void> check_replaceable(const std::string& real, const std::string& path) const;

  Entries& entries_;
};

}  // namespace gpuhost
