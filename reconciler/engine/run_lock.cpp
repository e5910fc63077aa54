#include "engine/run_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Whose flock(2) the file has: "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF", proc_locks(5).
std::optional<RunLock::Holder> holder_of(const struct stat& file) {
  const auto wanted = fmt::format("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), file.st_ino);
  const auto locks = text_of("/proc/locks");
  for (const auto line : lines(locks)) {
    const auto fields = words(line);
    if (fields.size() < 6 || fields[1] != "FLOCK" || fields[5] != wanted) continue;
    RunLock::Holder holder{.pid = static_cast<int>(parse_unsigned(fields[4]).value_or(0)), .command = {}};
    if (holder.pid > 0) holder.command = text_of(fmt::format("/proc/{}/cmdline", holder.pid));
    std::ranges::replace(holder.command, '\0', ' ');
    holder.command = trim(holder.command);
    return holder;
  }
  return std::nullopt;
}

}  // namespace

std::string RunLock::Holder::to_string() const {
  if (pid == 0) return "a process that this one cannot see";
  return command.empty() ? fmt::format("pid {}", pid)
                         : fmt::format("pid {}, '{}'", pid, escape_for_terminal(command));
}

Result<RunLock> RunLock::take(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  if (code) return std::unexpected(system_error(code.value(), "make the directory of", path));
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return std::unexpected(system_error(errno, "open the run lock", path));
  return lock(std::move(file), path);
}

Result<RunLock> RunLock::take_existing(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat opened{};
  if (!file || ::fstat(file.get(), &opened) != 0) return std::unexpected(system_error(errno, "open", path));
  auto taken = lock(std::move(file), path);
  if (!taken) return taken;
  // A run that ended between open and lock has put another file in this one's place.
  struct stat current{};
  if (::stat(path.c_str(), &current) != 0) return std::unexpected(system_error(errno, "look at", path));
  if (current.st_ino != opened.st_ino || current.st_dev != opened.st_dev)
    return fail(ErrorKind::busy, fmt::format("another run has just replaced {}", path), "try again");
  return taken;
}

Result<RunLock> RunLock::lock(UniqueFd file, const std::string& path) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return RunLock(std::move(file));
  if (errno != EWOULDBLOCK) return std::unexpected(system_error(errno, "lock", path));
  struct stat opened{};
  const auto holder = ::fstat(file.get(), &opened) == 0 ? holder_of(opened) : std::nullopt;
  return fail(ErrorKind::busy,
              fmt::format("another run holds {}: {}", path, holder.value_or(Holder{}).to_string()),
              "wait until it ends, then try again");
}

Result<std::optional<RunLock::Holder>> RunLock::holder(const std::string& path) {
  struct stat file{};
  if (::stat(path.c_str(), &file) == 0) return holder_of(file);
  if (errno == ENOENT) return std::optional<Holder>{};
  return std::unexpected(system_error(errno, "look at the run lock", path));
}

}  // namespace gpuhost
