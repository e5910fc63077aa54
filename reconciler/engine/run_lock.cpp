#include "engine/run_lock.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/json.hpp"

namespace gpuhost {

namespace {

/// The note in the file. A holder that has not written it yet is known by its lock alone.
RunLock::Holder read_note(int fd) {
  std::array<char, 512> buffer{};
  const auto size = ::pread(fd, buffer.data(), buffer.size(), 0);
  if (size <= 0) return {};
  const Json note = Json::parse(buffer.data(), buffer.data() + size, nullptr, false);
  if (!note.is_object()) return {};
  return {note.value("pid", 0), note.value("verb", ""), note.value("since", "")};
}

}  // namespace

Result<RunLock> RunLock::take(const std::string& path, const Holder& holder) {
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  if (code) return std::unexpected(system_error(code.value(), "make the directory of", path));
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return std::unexpected(system_error(errno, "open the run lock", path));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return std::unexpected(system_error(errno, "lock", path));
    const Holder other = read_note(file.get());
    return fail(ErrorKind::busy,
                other.pid == 0 ? fmt::format("another run holds {}", path)
                               : fmt::format("another run holds {}: pid {}, '{}', since {}", path, other.pid,
                                             other.verb, other.since),
                "wait until it ends, then try again");
  }
  const std::string note =
      Json{{"pid", holder.pid}, {"verb", holder.verb}, {"since", holder.since}}.dump() + "\n";
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), note.data(), note.size(), 0) != static_cast<ssize_t>(note.size()))
    return std::unexpected(system_error(errno, "write the holder into", path));
  return RunLock(std::move(file));
}

RunLock::~RunLock() {
  // Best effort: a note that stays is harmless, as the lock and not the note says that somebody holds it.
  if (file_) [[maybe_unused]]
    const int ignored = ::ftruncate(file_.get(), 0);
}

Result<std::optional<RunLock::Holder>> RunLock::holder(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    if (errno == ENOENT) return std::optional<Holder>{};
    return std::unexpected(system_error(errno, "open the run lock", path));
  }
  if (::flock(file.get(), LOCK_SH | LOCK_NB) == 0)
    return std::optional<Holder>{};  // the close gives it up at once
  if (errno != EWOULDBLOCK) return std::unexpected(system_error(errno, "ask for the lock", path));
  return std::optional(read_note(file.get()));
}

}  // namespace gpuhost
