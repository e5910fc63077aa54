#include "host/real/spawn.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/real/command_environment.hpp"

namespace gpuhost {

namespace {

/// As a system call: glibc's header of 2.36 declares its function without extern "C".
UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// What posix_spawn is told, freed with it.
class SpawnPlan {
 public:
  SpawnPlan(int output, int errors) {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    if (errors < 0)
      ::posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    else
      ::posix_spawn_file_actions_adddup2(&files_, errors, STDERR_FILENO);
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

  [[nodiscard]] Result<pid_t> run(const std::vector<std::string>& argv) const {
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

}  // namespace

Result<Spawned> spawn(const std::vector<std::string>& argv, int output, int errors) {
  const auto pid = SpawnPlan(output, errors).run(argv);
  if (!pid) return std::unexpected(pid.error());
  return Spawned{*pid, open_process(*pid)};
}

int collect(pid_t pid) {
  siginfo_t how{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED) != 0 && errno == EINTR) {
  }
  return how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
}

}  // namespace gpuhost
