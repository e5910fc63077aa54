#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

/// A directory taken as "/": paths are resolved by the kernel inside it, links that are absolute or climb
/// with ".." included, so that nothing outside is ever reached (openat2(2), RESOLVE_IN_ROOT; Linux 5.6).
class RootedDirectory {
 public:
  /// A directory that cannot be opened makes every later call fail with the reason.
  explicit RootedDirectory(const std::string& directory);

  /// Opens absolute `path` with the flags of open(2), close-on-exec added. `action` is for the error: "cannot
  /// <action> <path>". unsupported: the kernel is too old.
  [[nodiscard]] Result<UniqueFd> open(const std::string& path, int flags, const char* action) const;
  /// Opens the directory at absolute `path` and makes it and those above it, with mode 0755, where they are
  /// missing.
  [[nodiscard]] Result<UniqueFd> open_or_make_directory(const std::string& path) const;

  /// A name in a directory that is no symbolic link.
  struct Entry {
    UniqueFd directory;  ///< can be used with the *at() calls and fsync
    std::string name;
  };
  enum class Parents { must_exist, make };
  /// The directory entry that absolute `path` names, `path` itself being taken as it is.
  [[nodiscard]] Result<Entry> entry(const std::string& path, Parents parents) const;
  /// The same, but if `path` is a symbolic link, the entry that it leads to in the end, which need not exist.
  [[nodiscard]] Result<Entry> entry_behind_links(const std::string& path, Parents parents) const;

 private:
  Result<UniqueFd> root_;
};

}  // namespace gpuhost
