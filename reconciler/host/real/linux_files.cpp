#include "host/real/linux_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <functional>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "host/real/atomic_replacement.hpp"

namespace gpuhost {

namespace {

constexpr std::size_t size_limit = std::size_t{16} << 20U;
constexpr mode_t permission_bits = 07777;

/// Attributes that the kernel shows only while nobody else is busy with the device. Source: device_lock() in
/// drivers/pci/pci-sysfs.c (driver_override_show), drivers/pci/iov.c (sriov_numvfs_show) and
/// drivers/base/core.c (uevent_show).
bool waits_for_device(const std::string& path) {
  constexpr std::array<std::string_view, 3> attributes{"driver_override", "sriov_numvfs", "uevent"};
  const auto name = std::string_view(path).substr(path.rfind('/') + 1);
  return std::ranges::find(attributes, name) != attributes.end();
}

using DirectoryStream = std::unique_ptr<DIR, decltype([](DIR* stream) { ::closedir(stream); })>;

FileStatus::Type type_of(mode_t mode) {
  if (S_ISREG(mode)) return FileStatus::Type::regular;
  if (S_ISDIR(mode)) return FileStatus::Type::directory;
  if (S_ISLNK(mode)) return FileStatus::Type::symlink;
  return FileStatus::Type::other;
}

Result<struct stat> status_of(const UniqueFd& file, const std::string& path) {
  struct stat found{};
  if (::fstat(file.get(), &found) != 0) return std::unexpected(system_error(errno, "look at", path));
  return found;
}

using Take = std::function<Result<void>(std::string_view)>;

/// Size says nothing in sysfs and procfs, so reads until the end, and hands over piece by piece.
Result<void> read_pieces(const UniqueFd& file, const std::string& path, const Take& take) {
  std::array<char, 65536> buffer;
  for (;;) {
    const auto count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(system_error(errno, "read", path));
    if (count == 0) return {};
    if (auto taken = take({buffer.data(), static_cast<std::size_t>(count)}); !taken) return taken;
  }
}

Result<std::string> read_to_end(const UniqueFd& file, const std::string& path) {
  std::string content;
  auto read = read_pieces(file, path, [&](std::string_view piece) -> Result<void> {
    content.append(piece);
    if (content.size() <= size_limit) return {};
    return fail(ErrorKind::invalid, fmt::format("cannot read {}: it is larger than 16 MiB", path));
  });
  if (!read) return fail(std::move(read));
  return content;
}

}  // namespace

LinuxFiles::LinuxFiles(const std::string& root, std::string writer, std::chrono::seconds write_limit)
    : root_(root), writes_(std::move(writer), write_limit) {}

Result<void> LinuxFiles::check_free(const std::string& device) const {
  if (const auto hangs = writes_.await(device); hangs && process_start(hangs->pid, *this) == hangs->started)
    return fail(ErrorKind::busy, hangs->sentence());
  const auto writes = load_abandoned_writes(*this);
  if (!writes) return std::unexpected(writes.error());
  const auto found = std::ranges::find(*writes, device, &AbandonedWrite::device);
  if (found == writes->end()) return {};
  return fail(ErrorKind::busy, found->sentence());
}

Result<std::string> LinuxFiles::read(const std::string& path) const {
  if (waits_for_device(path))
    if (auto free = check_free(written_device(path, {})); !free) return fail(std::move(free));
  // O_NONBLOCK: opening a FIFO that somebody left there must not wait for a writer.
  auto file = root_.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, "read");
  if (!file) return fail(std::move(file));
  const auto found = status_of(*file, path);
  if (!found) return std::unexpected(found.error());
  if (!S_ISREG(found->st_mode))
    return fail(ErrorKind::invalid, fmt::format("cannot read {}: not a regular file", path));
  return read_to_end(*file, path);
}

Result<std::vector<std::string>> LinuxFiles::list(const std::string& path) const {
  auto directory = root_.open(path, O_RDONLY | O_DIRECTORY, "list");
  if (!directory) return fail(std::move(directory));
  const int fd = ::fcntl(directory->get(), F_DUPFD_CLOEXEC, 0);
  const DirectoryStream stream(fd < 0 ? nullptr : ::fdopendir(fd));
  if (!stream) return std::unexpected(system_error(errno, "list", path));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return std::unexpected(system_error(errno, "list", path));
  std::ranges::sort(names);
  return names;
}

Result<std::string> LinuxFiles::link_target(const std::string& path) const {
  auto link = root_.open(path, O_PATH | O_NOFOLLOW, "read link");
  if (!link) return fail(std::move(link));
  const auto found = status_of(*link, path);
  if (!found) return std::unexpected(found.error());
  if (!S_ISLNK(found->st_mode))
    return fail(ErrorKind::invalid, fmt::format("cannot read link {}: not a symbolic link", path));
  std::string target(PATH_MAX, '\0');
  const auto length = ::readlinkat(link->get(), "", target.data(), target.size());
  if (length < 0) return std::unexpected(system_error(errno, "read link", path));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

Result<FileStatus> LinuxFiles::status(const std::string& path) const {
  auto file = root_.open(path, O_PATH | O_NOFOLLOW, "look at");
  if (!file) return fail(std::move(file));
  const auto found = status_of(*file, path);
  if (!found) return std::unexpected(found.error());
  return FileStatus{type_of(found->st_mode), found->st_mode & permission_bits, found->st_uid};
}

/// A link that another user of its directory has put there is not followed, whatever it leads to.
Result<UniqueFd> LinuxFiles::open_itself(const std::string& path) const {
  auto file = root_.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, "read");
  if (!file) return file;
  const auto found = status_of(*file, path);
  if (!found) return std::unexpected(found.error());
  if (!S_ISREG(found->st_mode))
    return fail(ErrorKind::invalid, fmt::format("cannot read {}: not a regular file", path));
  return file;
}

Result<std::string> LinuxFiles::digest(const std::string& path) const {
  const auto file = open_itself(path);
  if (!file) return std::unexpected(file.error());
  Sha256 sum;
  auto read = read_pieces(*file, path, [&](std::string_view piece) -> Result<void> {
    sum.add(piece);
    return {};
  });
  if (!read) return fail(std::move(read));
  return std::move(sum).digest();
}

Result<void> LinuxFiles::write_attribute(const std::string& path, std::string_view text) {
  const auto device = written_device(path, text);
  if (auto free = check_free(device); !free) return free;
  const auto file = root_.open(path, O_WRONLY | O_NOCTTY, "write");
  if (!file) return std::unexpected(file.error());
  const auto what = fmt::format("write '{}' to", trim(text));
  auto end =
      writes_.write(*file, text, {.device = device, .request = fmt::format("{} {}", what, path)}, *this);
  if (!end) return fail(std::move(end));
  if (const auto* hangs = std::get_if<AbandonedWrite>(&*end)) return abandon(*hangs);
  if (const int code = std::get<int>(*end)) return std::unexpected(system_error(code, what, path));
  return {};
}

std::unexpected<Error> LinuxFiles::abandon(const AbandonedWrite& write) {
  auto why = write.sentence();
  if (const auto recorded = record_abandoned_write(write, *this, *this); !recorded)
    why += fmt::format("; later runs cannot be told of it: {}", recorded.error().sentence());
  return fail(ErrorKind::timed_out, std::move(why));
}

Result<void> LinuxFiles::replace(const std::string& path, std::string_view content, unsigned mode) {
  auto target = root_.entry_behind_links(path, RootedDirectory::Parents::make);
  if (!target) return fail(std::move(target));
  return replace_atomically(*target, path, content, mode);
}

Result<void> LinuxFiles::append(const std::string& path, std::string_view text) {
  auto target = root_.entry(path, RootedDirectory::Parents::make);
  if (!target) return fail(std::move(target));
  return append_durably(*target, path, text);
}

Result<void> LinuxFiles::copy(const std::string& from, const std::string& to, const std::string& sha256) {
  const auto source = open_itself(from);
  if (!source) return std::unexpected(source.error());
  const auto target = root_.entry(to, RootedDirectory::Parents::make);
  if (!target) return std::unexpected(target.error());
  const auto fill = [&](const UniqueFd& copy) -> Result<void> {
    Sha256 sum;
    auto read = read_pieces(*source, from, [&](std::string_view piece) -> Result<void> {
      sum.add(piece);
      if (write_all(copy, piece)) return {};
      return std::unexpected(system_error(errno, "write", to));
    });
    if (!read) return read;
    if (const auto found = std::move(sum).digest(); found != sha256)
      return std::unexpected(other_digest(from, sha256, found));
    return {};
  };
  return replace_atomically(*target, to, fill, 0600);
}

Result<void> LinuxFiles::remove(const std::string& path) {
  auto target = root_.entry(path, RootedDirectory::Parents::must_exist);
  if (!target && target.error().kind == ErrorKind::not_found) return {};
  if (!target) return fail(std::move(target));
  if (::unlinkat(target->directory.get(), target->name.c_str(), 0) != 0) {
    if (errno == ENOENT) return {};
    return std::unexpected(system_error(errno, "remove", path));
  }
  return sync_directory(target->directory, path);
}

}  // namespace gpuhost
