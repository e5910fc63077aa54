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
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "host/real/command_environment.hpp"
#include "host/real/deadline.hpp"

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

/// As a system call: glibc's header of 2.36 declares its function without extern "C".
UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// A started program, the leader of its own session and process group. Ends the group before it goes.
class Child {
 public:
  Child(pid_t pid, UniqueFd output) : pid_(pid), handle_(open_process(pid)), output_(std::move(output)) {}
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
    siginfo_t how{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED) != 0 && errno == EINTR) {
    }
    return how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
  }

 private:
  pid_t pid_;
  UniqueFd handle_;
  UniqueFd output_;
};

/// What posix_spawn is told, freed with it.
class SpawnPlan {
 public:
  explicit SpawnPlan(int output) {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files_, output, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    ::posix_spawn_file_actions_addchdir_np(&files_, "/");
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&files_);
  }

  Result<pid_t> spawn(const std::vector<std::string>& argv) const {
    std::vector<char*> arguments;
    for (const auto& argument : argv)
      arguments.push_back(const_cast<char*>(argument.c_str()));  // never written to
    arguments.push_back(nullptr);
    std::string locale = command_locale;
    std::string path = command_path;
    const std::array<char*, 3> environment{locale.data(), path.data(), nullptr};
    pid_t pid = 0;
    const int code = ::posix_spawn(&pid, argv.front().c_str(), &files_, &attributes_, arguments.data(),
                                   environment.data());
    if (code != 0) return std::unexpected(system_error(code, "run", argv.front()));
    return pid;
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
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
  const auto& program = command.argv.front();
  if (auto usable = check_program(program); !usable) return fail(std::move(usable));
  auto pipe = make_pipe();
  if (!pipe) return fail(std::move(pipe));
  auto pid = SpawnPlan(pipe->write.get()).spawn(command.argv);
  if (!pid) return fail(std::move(pid));
  pipe->write = UniqueFd();
  Child child(*pid, std::move(pipe->read));

  CommandResult result;
  const bool in_time = await_end(child, Deadline(command.limit), result.output);
  if (!in_time && !end_group(child, result.output))
    return fail(ErrorKind::timed_out,
                fmt::format("{} did not end within {} s and cannot be killed (process {})", program,
                            command.limit.count(), *pid),
                "it hangs in the kernel: see the kernel log; a reboot ends it");
  result.exit_code = child.collect();
  child.take(result.output);
  if (!in_time)
    return fail(ErrorKind::timed_out,
                fmt::format("{} was ended as it ran longer than {} s", program, command.limit.count()));
  return result;
}

}  // namespace gpuhost
