#include "cli/run_guard.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/trusted_file.hpp"
#include "host/real/real_host.hpp"

namespace gpuhost {

namespace {

constexpr const char* lock_path = "/run/gpuhost/lock";

/// The process that holds a lock on the file, from /proc/locks ("1: FLOCK ADVISORY WRITE PID
/// MAJOR:MINOR:INODE …", proc(5)); empty if it cannot be told.
std::string holder_of(const struct stat& file) {
  constexpr std::size_t limit = std::size_t{1} << 20U;
  const auto locks = read_file("/proc/locks", limit);
  if (!locks) return {};
  const auto wanted = fmt::format("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), file.st_ino);
  for (const auto line : lines(*locks)) {
    const auto fields = words(line);
    if (fields.size() > 5 && fields[5] == wanted) return fmt::format(" (pid {})", fields[4]);
  }
  return {};
}

Result<UniqueFd> lock_host_file(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat opened{};
  if (!file || ::fstat(file.get(), &opened) != 0) return std::unexpected(system_error(errno, "open", path));
  constexpr const char* advice = "wait until it ends, then try again";
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return std::unexpected(system_error(errno, "lock", path));
    return fail(ErrorKind::busy, fmt::format("another run{} holds {}", holder_of(opened), path), advice);
  }
  // A run that ended between open and lock has put another file in this one's place.
  struct stat current{};
  if (::stat(path.c_str(), &current) != 0) return std::unexpected(system_error(errno, "look at", path));
  if (current.st_ino != opened.st_ino || current.st_dev != opened.st_dev)
    return fail(ErrorKind::busy, fmt::format("another run has just replaced {}", path), "try again");
  return file;
}

}  // namespace

std::string run_lock_path(const Options& options) {
  std::string root = options.root;
  while (root.ends_with('/')) root.pop_back();
  return root + lock_path;
}

Result<RunGuard> RunGuard::take(const Options& options) {
  RunGuard guard;
  if (!options.host_file.empty()) {
    if (!options.host_out.empty()) return guard;
    auto file = lock_host_file(options.host_file);
    if (!file) return fail(std::move(file));
    guard.host_file_ = std::move(*file);
    return guard;
  }
  const RealHost machine;
  auto lock =
      RunLock::take(run_lock_path(options), {::getpid(), options.verb, machine.view().clock.utc_now()});
  if (!lock) return fail(std::move(lock));
  guard.lock_.emplace(std::move(*lock));
  return guard;
}

}  // namespace gpuhost
