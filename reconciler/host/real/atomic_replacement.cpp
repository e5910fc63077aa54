#include "host/real/atomic_replacement.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gpuhost {

namespace {

constexpr mode_t permission_bits = 07777;

/// A file beside the target that goes away with this object unless it took the target's place.
class Temporary {
 public:
  Temporary(const UniqueFd& directory, const std::string& target) : directory_(directory) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random) return;
    // Hidden, and with no ending that modprobe.d, grub.d or modules-load.d would read if a crash left it
    // here.
    name_ = fmt::format(".{}.{:016x}.tmp", target, random);
    file_ = UniqueFd(
        ::openat(directory.get(), name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (file_ && !renamed_) ::unlinkat(directory_.get(), name_.c_str(), 0);
  }

  [[nodiscard]] const UniqueFd& file() const { return file_; }
  [[nodiscard]] bool rename_to(const std::string& target) {
    renamed_ = ::renameat(directory_.get(), name_.c_str(), directory_.get(), target.c_str()) == 0;
    return renamed_;
  }

 private:
  const UniqueFd& directory_;
  std::string name_;
  UniqueFd file_;
  bool renamed_ = false;
};

/// Nothing if the target is not there.
Result<std::optional<struct stat>> status_of(const RootedDirectory::Entry& target, const std::string& path) {
  struct stat found{};
  if (::fstatat(target.directory.get(), target.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(system_error(errno, "look at", path));
  }
  if (!S_ISREG(found.st_mode))
    return fail(ErrorKind::invalid, fmt::format("cannot replace {}: not a regular file", path));
  return found;
}

/// Sets owner and mode only where they differ: file systems without them (vfat) refuse to.
bool dress(const UniqueFd& file, const std::optional<struct stat>& old, mode_t mode) {
  struct stat now{};
  if (::fstat(file.get(), &now) != 0) return false;
  if (old && (now.st_uid != old->st_uid || now.st_gid != old->st_gid) &&
      ::fchown(file.get(), old->st_uid, old->st_gid) != 0)
    return false;
  const auto wanted = old ? old->st_mode & permission_bits : mode;
  return (now.st_mode & permission_bits) == wanted || ::fchmod(file.get(), wanted) == 0;
}

}  // namespace

bool write_all(const UniqueFd& file, std::string_view content) {
  while (!content.empty()) {
    const auto count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

Result<void> sync_directory(const UniqueFd& directory, const std::string& path) {
  if (::fsync(directory.get()) == 0 || errno == EINVAL) return {};
  return std::unexpected(system_error(errno, "sync the directory of", path));
}

Result<void> append_durably(const RootedDirectory::Entry& target, const std::string& path,
                            std::string_view text) {
  const auto old = status_of(target, path);
  if (!old) return std::unexpected(old.error());
  const UniqueFd file(::openat(target.directory.get(), target.name.c_str(),
                               O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(system_error(errno, "open", path));
  if (!write_all(file, text) || ::fdatasync(file.get()) != 0) {
    auto error = system_error(errno, "add to", path);
    if (*old && ::ftruncate(file.get(), (*old)->st_size) != 0) error.message += "; a part of it stays";
    return std::unexpected(std::move(error));
  }
  return *old ? Result<void>{} : sync_directory(target.directory, path);
}

Result<void> replace_atomically(const RootedDirectory::Entry& target, const std::string& path,
                                std::string_view content, unsigned mode) {
  const auto fill = [&](const UniqueFd& file) -> Result<void> {
    if (write_all(file, content)) return {};
    return std::unexpected(system_error(errno, "write", path));
  };
  return replace_atomically(target, path, fill, mode);
}

Result<void> replace_atomically(const RootedDirectory::Entry& target, const std::string& path,
                                const std::function<Result<void>(const UniqueFd&)>& fill, unsigned mode) {
  const auto old = status_of(target, path);
  if (!old) return std::unexpected(old.error());
  Temporary temporary(target.directory, target.name);
  if (!temporary.file()) return std::unexpected(system_error(errno, "make a temporary beside", path));
  if (auto filled = fill(temporary.file()); !filled) return filled;
  if (!dress(temporary.file(), *old, mode))
    return std::unexpected(system_error(errno, "set owner and mode of", path));
  if (::fsync(temporary.file().get()) != 0) return std::unexpected(system_error(errno, "sync", path));
  if (!temporary.rename_to(target.name)) return std::unexpected(system_error(errno, "replace", path));
  return sync_directory(target.directory, path);
}

}  // namespace gpuhost
