#include "cli/trusted_file.hpp"

#include <array>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace gpuhost {

namespace {

Result<std::string> read_open(int fd, const std::string& path, std::size_t limit) {
  std::string content;
  std::array<char, 65536> buffer{};
  while (content.size() <= limit) {
    const auto size = ::read(fd, buffer.data(), std::min(buffer.size(), limit + 1 - content.size()));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::unexpected(system_error(errno, "read", path));
    if (size == 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return content;
}

Result<void> only_root_writes(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return std::unexpected(system_error(errno, "look at", path));
  const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (status.st_uid == 0 && !others_write) return {};
  return fail(ErrorKind::denied,
              fmt::format("cannot trust {}: {}", path,
                          status.st_uid != 0 ? fmt::format("it belongs to user {}", status.st_uid)
                                             : "others than root can write it"),
              "whoever can write the document is root on this host: chown root and chmod go-w it, and the "
              "directories above");
}

/// Opens one component below `directory` and checks it; `so_far` names it in errors.
Result<UniqueFd> step_into(const UniqueFd& directory, const std::string& name, const std::string& so_far,
                           int flags) {
  UniqueFd next(::openat(directory.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  if (!next) {
    if (errno == ELOOP || errno == ENOTDIR)
      return fail(ErrorKind::denied,
                  fmt::format("cannot trust {}: it is a symbolic link or no directory", so_far),
                  "give the real path of the document");
    return std::unexpected(system_error(errno, "open", so_far));
  }
  if (auto trusted = only_root_writes(next.get(), so_far); !trusted) return fail(std::move(trusted));
  return next;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // Opening a FIFO that nobody writes to would block for ever; reading it yields nothing.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return std::unexpected(system_error(errno, "open", path));
  // A pipe with a writer is waited for, so that -f <(command) works.
  if (::fcntl(file.get(), F_SETFL, 0) != 0) return std::unexpected(system_error(errno, "open", path));
  return read_open(file.get(), path, limit);
}

Result<std::string> read_trusted_file(const std::string& path, std::size_t limit) {
  std::error_code code;
  const auto whole = std::filesystem::absolute(path, code);
  if (code) return std::unexpected(system_error(code.value(), "find", path));
  UniqueFd current(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!current) return std::unexpected(system_error(errno, "open", "/"));
  if (auto trusted = only_root_writes(current.get(), "/"); !trusted) return fail(std::move(trusted));
  std::filesystem::path so_far("/");
  for (const auto& component : whole.parent_path().relative_path()) {
    so_far /= component;
    auto next = step_into(current, component.string(), so_far.string(), O_RDONLY | O_DIRECTORY);
    if (!next) return fail(std::move(next));
    current = std::move(*next);
  }
  auto file = step_into(current, whole.filename().string(), whole.string(), O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (!file) return fail(std::move(file));
  return read_open(file->get(), path, limit);
}

}  // namespace gpuhost
