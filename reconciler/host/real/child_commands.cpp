#include "host/real/child_commands.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "host/real/command_environment.hpp"
#include "host/real/deadline.hpp"
#include "host/real/spawn.hpp"

namespace gpuhost {

namespace {

constexpr std::chrono::seconds grace{5};  // between SIGTERM and SIGKILL, and for SIGKILL to take effect

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(system_error(errno, "make", "a pipe"));
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

/// A started program, the leader of its own session and process group. Ends the group before it goes.
class Child {
 public:
  Child(Spawned program, UniqueFd output)
      : pid_(program.pid), handle_(std::move(program.handle)), output_(std::move(output)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] int handle() const { return handle_.get(); }
  [[nodiscard]] int output() const { return output_.get(); }
  void signal_group(int signal) const { ::kill(-pid_, signal); }

  /// Reads once, as much as a pipe holds; false when nothing is there or all writers are gone.
  bool take(std::string& into) {
    std::array<char, 65536> buffer;
    const auto count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) return false;
    into.append(buffer.data(), static_cast<std::size_t>(count));
    keep_tail(into);
    return true;
  }
  void close_output() { output_ = UniqueFd(); }

  /// Once the handle is readable: the leader is a zombie, so its number still means this group.
  int collect() const {
    signal_group(SIGKILL);
    return gpuhost::collect(pid_);
  }

 private:
  pid_t pid_;
  UniqueFd handle_;
  UniqueFd output_;
};

/// Collects output until the leader has ended; false when `deadline` came first.
bool await_end(Child& child, const Deadline& deadline, std::string& output) {
  for (;;) {
    std::array<pollfd, 3> waiting{
        {{child.handle(), POLLIN, 0}, {deadline.fd(), POLLIN, 0}, {child.output(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return false;
    if (waiting[2].revents != 0 && !child.take(output)) child.close_output();
    if (waiting[0].revents != 0) return true;
    if (deadline.passed()) return false;
  }
}

/// Ends the group; false when even SIGKILL did not, which means that it hangs in the kernel.
bool end_group(Child& child, std::string& output) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    child.signal_group(signal);
    if (await_end(child, Deadline(grace), output)) return true;
  }
  return false;
}

}  // namespace

Result<CommandResult> ChildCommands::run(const Command& command) {
  const auto& name = command.argv.front();
  if (auto usable = check_program(name); !usable) return fail(std::move(usable));
  auto pipe = make_pipe();
  if (!pipe) return fail(std::move(pipe));
  auto program = spawn(command.argv, pipe->write.get(), pipe->write.get());
  if (!program) return fail(std::move(program));
  pipe->write = UniqueFd();
  const auto pid = program->pid;
  Child child(*std::move(program), std::move(pipe->read));

  CommandResult result;
  const bool in_time = await_end(child, Deadline(command.limit), result.output);
  if (!in_time && !end_group(child, result.output))
    return fail(ErrorKind::timed_out,
                fmt::format("{} did not end within {} s and cannot be killed (process {})", name,
                            command.limit.count(), pid),
                "it hangs in the kernel: see the kernel log; a reboot ends it");
  result.exit_code = child.collect();
  child.take(result.output);
  if (!in_time)
    return fail(ErrorKind::timed_out,
                fmt::format("{} was ended as it ran longer than {} s", name, command.limit.count()));
  return result;
}

}  // namespace gpuhost
