#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// What lstat(2) says, as far as gpuhost asks.
struct FileStatus {
  enum class Type { regular, directory, symlink, other };
  Type type = Type::regular;
  unsigned mode = 0;   ///< permission bits
  unsigned owner = 0;  ///< uid
  bool operator==(const FileStatus&) const = default;
};

/// Files of the host, by absolute path inside the host ("/etc/hostname"), whatever root lies under them.
/// Errors: not_found means that it is certainly not there; denied and io mean that it cannot be told.
/// Safe to call from several threads.
class FileReader {
 public:
  virtual ~FileReader() = default;
  /// Whole content, at most 16 MiB. Follows symbolic links, but never out of the root.
  [[nodiscard]] virtual Result<std::string> read(const std::string& path) const = 0;
  /// Names in a directory without "." and "..", in byte order.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& path) const = 0;
  /// Where a symbolic link points, as written in it.
  [[nodiscard]] virtual Result<std::string> link_target(const std::string& path) const = 0;
  [[nodiscard]] virtual Result<FileStatus> status(const std::string& path) const = 0;
  /// SHA-256 of a regular file of any size. A symbolic link at the end of the path is not followed.
  [[nodiscard]] virtual Result<std::string> digest(const std::string& path) const = 0;

  /// False when certainly absent; an error when it cannot be told.
  [[nodiscard]] Result<bool> exists(const std::string& path) const;
};

/// mismatch: what is at `path` is not what its digest was said to be.
[[nodiscard]] Error other_digest(const std::string& path, const std::string& wanted,
                                 const std::string& found);

class FileWriter {
 public:
  virtual ~FileWriter() = default;
  /// For sysfs and procfs: the whole text in one write(2), since each write is one request to the kernel.
  virtual Result<void> write_attribute(const std::string& path, std::string_view text) = 0;
  /// For all other files: a temporary beside it, fsync, rename, fsync of the directory. Keeps mode and owner
  /// of a file that is replaced; a new one gets `mode`. Makes missing parent directories with mode 0755.
  virtual Result<void> replace(const std::string& path, std::string_view content, unsigned mode = 0644) = 0;
  /// Adds to the end of a file, which is made with mode 0600 if it is missing, parent directories too. On
  /// disk when it returns. A crash, and nothing else, may leave a part of `text`.
  virtual Result<void> append(const std::string& path, std::string_view text) = 0;
  /// Copies a regular file of any size to `to`, which gets mode 0600 and is on disk when it returns; hashes
  /// what it copies, and takes it only if that is `sha256`. A symbolic link at the end of `from` is not
  /// followed. mismatch: it has another digest; `to` is as it was. Makes missing parent directories of `to`.
  virtual Result<void> copy(const std::string& from, const std::string& to, const std::string& sha256) = 0;
  /// Done when the file is not there; one that never was is no error.
  virtual Result<void> remove(const std::string& path) = 0;
};

}  // namespace gpuhost
