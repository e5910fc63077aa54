#include "host/real/child_commands.hpp"

#include <csignal>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adapters/scratch_directory.hpp"
#include "base/unique_fd.hpp"
#include "host/real/boot_clock.hpp"

namespace gpuhost {
namespace {

using testing::ScratchDirectory;
using namespace std::chrono_literals;

Result<CommandResult> sh(const std::string& script, std::chrono::seconds limit = 30s) {
  return ChildCommands().run({{"/bin/sh", "-c", script}, limit});
}

/// Whether the process ends within some seconds: pidfd_open fails for one that is gone already.
bool ends_soon(pid_t pid) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) return true;
  pollfd waiting{handle.get(), POLLIN, 0};
  return ::poll(&waiting, 1, 5000) == 1;
}

TEST(ChildCommands, gives_exit_code_and_both_outputs_in_order) {
  const auto done = sh("echo one; echo two >&2; echo three; exit 7");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 7);
  EXPECT_EQ(done->output, "one\ntwo\nthree\n");
}

TEST(ChildCommands, a_program_ended_by_a_signal_has_128_and_the_signal) {
  EXPECT_EQ(sh("kill -9 $$").value().exit_code, 128 + SIGKILL);
}

TEST(ChildCommands, a_missing_program_is_not_found) {
  const auto done = ChildCommands().run({{"/no/such/program"}, 5s});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::not_found);
  EXPECT_EQ(done.error().message, "cannot run /no/such/program: No such file or directory");
}

TEST(ChildCommands, a_relative_program_is_refused) {
  EXPECT_EQ(ChildCommands().run({{"sh"}, 5s}).error().kind, ErrorKind::invalid);
}

TEST(ChildCommands, a_file_that_is_no_program_is_an_error_not_a_result) {
  const ScratchDirectory folder;
  folder.write("/text", "no program");
  EXPECT_EQ(ChildCommands().run({{folder.path("/text")}, 5s}).error().kind, ErrorKind::denied);
  std::filesystem::permissions(folder.path("/text"), std::filesystem::perms(0755));
  EXPECT_FALSE(ChildCommands().run({{folder.path("/text")}, 5s}));
}

TEST(ChildCommands, keeps_the_last_64_KiB_of_the_output) {
  const auto done = sh("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->output.size(), 65536U);
  EXPECT_TRUE(done->output.ends_with("line 19999\n"));
}

TEST(ChildCommands, the_environment_is_fixed) {
  ::setenv("GPUHOST_TEST_LEAK", "leaked", 1);
  const auto done = ChildCommands().run({{"/usr/bin/env"}, 5s});
  ::unsetenv("GPUHOST_TEST_LEAK");
  EXPECT_EQ(done.value().output, "LC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
}

TEST(ChildCommands, runs_in_the_root_with_no_input_in_its_own_session_and_inherits_no_descriptor) {
  const UniqueFd inherited(::dup(STDERR_FILENO));  // without close-on-exec
  const auto done = sh(
      "pwd; cat; ps -o sid= -p $$ | tr -d ' ' | grep -qx $$ && echo own session; ls /proc/self/fd | wc -l");
  // 0, 1, 2 and the one that ls reads the directory by.
  EXPECT_EQ(done.value().output, "/\nown session\n4\n");
}

TEST(ChildCommands, arguments_are_never_expanded) {
  const auto done = ChildCommands().run({{"/bin/echo", "$HOME", "a  b", "*", "`id`", "%n"}, 5s});
  EXPECT_EQ(done.value().output, "$HOME a  b * `id` %n\n");
}

TEST(ChildCommands, ignored_signals_of_the_parent_are_not_inherited) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  const auto done = sh("kill -PIPE $$; echo survived");
  std::signal(SIGPIPE, before);
  EXPECT_EQ(done.value().exit_code, 128 + SIGPIPE);
}

TEST(ChildCommands, a_deadline_ends_the_program_and_its_children) {
  const ScratchDirectory folder;
  const BootClock clock;
  const auto started = clock.since_boot();
  const auto done = sh("sleep 60 & echo $! > " + folder.path("/pid") + "; echo begun; sleep 60", 1s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(done.error().message, "/bin/sh was ended as it ran longer than 1 s");
  EXPECT_LT(clock.since_boot() - started, 4s);
  EXPECT_TRUE(ends_soon(std::stoi(folder.read("/pid"))));
}

TEST(ChildCommands, endless_output_does_not_hold_off_the_deadline) {
  const BootClock clock;
  const auto started = clock.since_boot();
  const auto done = ChildCommands().run({{"/usr/bin/yes"}, 1s});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_LT(clock.since_boot() - started, 4s);
}

TEST(ChildCommands, a_program_that_ignores_SIGTERM_is_killed) {
  const BootClock clock;
  const auto started = clock.since_boot();
  const auto done = sh("trap '' TERM; while :; do sleep 1; done", 1s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_GE(clock.since_boot() - started, 5s);
  EXPECT_LT(clock.since_boot() - started, 12s);
}

TEST(ChildCommands, what_a_program_leaves_behind_does_not_keep_us_waiting_and_ends) {
  const ScratchDirectory folder;
  const BootClock clock;
  const auto started = clock.since_boot();
  const auto done = sh("sleep 60 & echo $! > " + folder.path("/pid") + "; echo done");
  EXPECT_EQ(done.value().output, "done\n");
  EXPECT_LT(clock.since_boot() - started, 5s);
  EXPECT_TRUE(ends_soon(std::stoi(folder.read("/pid"))));
}

TEST(ChildCommands, a_program_that_closes_its_output_is_waited_for) {
  EXPECT_EQ(sh("exec >&- 2>&-; sleep 0.3; exit 4").value().exit_code, 4);
}

}  // namespace
}  // namespace gpuhost
