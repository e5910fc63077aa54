// Needs systemd as process 1 and a system bus: runs in tests/lab/nspawn, scenario "adapters", which brings
// the units that these tests name.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "host/real/boot_clock.hpp"
#include "host/real/child_commands.hpp"
#include "host/real/lazy_systemd.hpp"
#include "host/real/real_host.hpp"
#include "host/real/systemd/bus_systemd.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class SystemdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!LazySystemd::booted()) GTEST_SKIP() << "systemd does not run here";
  }

  [[nodiscard]] UnitState state(const std::string& unit) const {
    const auto state = systemd_.state(unit);
    EXPECT_TRUE(state) << state.error().message;
    return state.value_or(UnitState{});
  }
  Result<CommandResult> sh(const std::string& script, std::chrono::seconds limit = 30s) {
    return systemd_.run({{"/bin/sh", "-c", script}, limit});
  }

  BusSystemd systemd_;
  BootClock clock_;
};

std::string systemctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/usr/bin/systemctl");
  return ChildCommands().run({arguments}).value_or(CommandResult{-1, "systemctl cannot be run"}).output;
}

using UnitsTest = SystemdTest;

TEST_F(UnitsTest, a_unit_without_file_is_not_found_without_being_an_error) {
  EXPECT_EQ(state("no-such.service"), (UnitState{"not-found", "inactive", "dead", ""}));
}

TEST_F(UnitsTest, a_name_that_is_no_unit_name_is_invalid) {
  const auto found = systemd_.state("no suffix");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::invalid) << found.error().message;
}

TEST_F(UnitsTest, starts_and_stops_and_is_done_when_the_unit_is) {
  EXPECT_EQ(state("lab-plain.service"), (UnitState{"loaded", "inactive", "dead", "disabled"}));
  EXPECT_TRUE(systemd_.start("lab-plain.service", 10s));
  EXPECT_EQ(state("lab-plain.service"), (UnitState{"loaded", "active", "running", "disabled"}));
  EXPECT_TRUE(systemd_.start("lab-plain.service", 10s)) << "starting what runs is done";
  EXPECT_TRUE(systemd_.stop("lab-plain.service", 10s));
  EXPECT_EQ(state("lab-plain.service").active_state, "inactive");
  EXPECT_TRUE(systemd_.stop("lab-plain.service", 10s)) << "stopping what does not run is done";
}

TEST_F(UnitsTest, waits_for_the_end_of_a_slow_start) {
  const auto begun = clock_.since_boot();
  EXPECT_TRUE(systemd_.start("lab-slow.service", 20s));
  EXPECT_GE(clock_.since_boot() - begun, 1s);
  EXPECT_EQ(state("lab-slow.service").active_state, "active");
  EXPECT_TRUE(systemd_.stop("lab-slow.service", 10s));
}

TEST_F(UnitsTest, a_start_that_fails_tells_result_and_state) {
  const auto started = systemd_.start("lab-fails.service", 10s);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::io);
  EXPECT_EQ(started.error().message,
            "cannot start unit lab-fails.service: its job ended as 'failed', it is failed (failed)");
  EXPECT_EQ(started.error().advice, "see 'journalctl -b -u lab-fails.service'");
}

TEST_F(UnitsTest, a_start_whose_dependency_fails_says_so) {
  const auto started = systemd_.start("lab-needs-failing.service", 10s);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("'dependency'"), std::string::npos) << started.error().message;
}

TEST_F(UnitsTest, a_start_that_takes_longer_than_the_limit_times_out) {
  const auto begun = clock_.since_boot();
  const auto started = systemd_.start("lab-endless-start.service", 1s);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(started.error().message,
            "cannot start unit lab-endless-start.service within 1 s: it is activating (start)");
  EXPECT_LT(clock_.since_boot() - begun, 3s);
  EXPECT_TRUE(systemd_.stop("lab-endless-start.service", 10s));
}

TEST_F(UnitsTest, a_unit_that_does_not_stop_in_time_times_out) {
  ASSERT_TRUE(systemd_.start("lab-stubborn.service", 10s));
  const auto stopped = systemd_.stop("lab-stubborn.service", 1s);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(stopped.error().message,
            "cannot stop unit lab-stubborn.service within 1 s: it is deactivating (stop-sigterm)");
  EXPECT_TRUE(systemd_.stop("lab-stubborn.service", 20s)) << "systemd kills it by the unit's own limit";
}

TEST_F(UnitsTest, a_unit_that_forbids_manual_start_or_stop_is_refused) {
  const auto started = systemd_.start("lab-refuses.service", 10s);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::unsupported);
  EXPECT_FALSE(started.error().advice.empty());
  EXPECT_EQ(systemd_.stop("lab-refuses.service", 10s).error().kind, ErrorKind::unsupported);
}

TEST_F(UnitsTest, a_masked_unit_is_refused) {
  EXPECT_EQ(state("lab-masked.service").load_state, "masked");
  EXPECT_EQ(systemd_.start("lab-masked.service", 10s).error().kind, ErrorKind::unsupported);
}

TEST_F(UnitsTest, a_missing_unit_cannot_be_started_stopped_or_enabled) {
  EXPECT_EQ(systemd_.start("no-such.service", 10s).error().kind, ErrorKind::not_found);
  EXPECT_EQ(systemd_.stop("no-such.service", 10s).error().kind, ErrorKind::not_found);
  const auto enabled = systemd_.enable("no-such.service");
  EXPECT_EQ(enabled.error().kind, ErrorKind::not_found) << enabled.error().message;
}

TEST_F(UnitsTest, reloads_what_can_and_refuses_what_cannot) {
  ASSERT_TRUE(systemd_.start("lab-reloads.service", 10s));
  EXPECT_TRUE(systemd_.reload("lab-reloads.service", 10s));
  EXPECT_TRUE(fs::exists("/run/lab-reloaded"));
  EXPECT_TRUE(systemd_.stop("lab-reloads.service", 10s));
  ASSERT_TRUE(systemd_.start("lab-plain.service", 10s));
  EXPECT_EQ(systemd_.reload("lab-plain.service", 10s).error().kind, ErrorKind::unsupported);
  EXPECT_TRUE(systemd_.stop("lab-plain.service", 10s));
}

TEST_F(UnitsTest, enabling_changes_the_next_boot_only_and_is_seen_at_once) {
  EXPECT_TRUE(systemd_.enable("lab-plain.service"));
  EXPECT_EQ(state("lab-plain.service"), (UnitState{"loaded", "inactive", "dead", "enabled"}));
  EXPECT_TRUE(fs::is_symlink("/etc/systemd/system/multi-user.target.wants/lab-plain.service"));
  EXPECT_TRUE(systemd_.enable("lab-plain.service")) << "enabling again is done";
  EXPECT_TRUE(systemd_.disable("lab-plain.service"));
  EXPECT_EQ(state("lab-plain.service").unit_file_state, "disabled");
  EXPECT_TRUE(systemd_.disable("lab-plain.service")) << "disabling again is done";
}

TEST_F(UnitsTest, a_unit_that_nothing_can_want_is_not_enabled) {
  const auto enabled = systemd_.enable("lab-static.service");
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(state("lab-static.service").unit_file_state, "static");
}

TEST_F(UnitsTest, several_threads_start_and_stop_side_by_side) {
  std::vector<std::string> units;
  for (int number = 0; number < 8; ++number)
    units.push_back("lab-many@" + std::to_string(number) + ".service");
  std::vector<int> failures(units.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t index = 0; index < units.size(); ++index) {
      threads.emplace_back([&, index] {
        for (int turn = 0; turn < 5; ++turn) {
          failures[index] += systemd_.start(units[index], 20s) ? 0 : 1;
          failures[index] += systemd_.stop(units[index], 20s) ? 0 : 1;
        }
      });
    }
  }
  EXPECT_TRUE(std::ranges::all_of(failures, [](int count) { return count == 0; }));
}

class ServicesTest : public SystemdTest {
 protected:
  void SetUp() override {
    SystemdTest::SetUp();
    fs::remove_all("/run/gpuhost");
  }
  void TearDown() override {
    EXPECT_EQ(systemctl({"list-units", "--all", "--plain", "--no-legend", "gpuhost-*"}), "");
  }
};

TEST_F(ServicesTest, give_exit_code_and_output_and_leave_no_log_of_success) {
  const auto done = sh("echo out; echo err >&2");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 0);
  EXPECT_EQ(done->output, "out\nerr\n");
  EXPECT_TRUE(fs::is_empty("/run/gpuhost/runs"));
}

TEST_F(ServicesTest, keep_the_log_of_a_failure_for_root_only) {
  const auto done = sh("echo broken; exit 7");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 7);
  EXPECT_EQ(done->output, "broken\n");
  ASSERT_FALSE(fs::is_empty("/run/gpuhost/runs"));
  const auto log = fs::directory_iterator("/run/gpuhost/runs")->path();
  EXPECT_TRUE(log.filename().string().starts_with("gpuhost-sh-")) << log;
  EXPECT_EQ(fs::status(log).permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status("/run/gpuhost/runs").permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status("/run/gpuhost").permissions(), fs::perms(0755));
}

TEST_F(ServicesTest, a_signal_is_128_and_its_number) {
  EXPECT_EQ(sh("kill -9 $$").value().exit_code, 128 + SIGKILL);
}

TEST_F(ServicesTest, keep_the_last_64_KiB_of_the_output) {
  const auto done = sh("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->output.size(), 65536U);
  EXPECT_TRUE(done->output.ends_with("line 19999\n"));
}

TEST_F(ServicesTest, a_limit_ends_the_program_and_its_children) {
  const auto begun = clock_.since_boot();
  const auto done = sh("sleep 987 & sleep 60", 1s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(done.error().message, "/bin/sh was ended as it ran longer than 1 s");
  EXPECT_LT(clock_.since_boot() - begun, 5s);
  EXPECT_EQ(sh("grep -l '^sleep.987' /proc/[0-9]*/cmdline").value().output, "");
}

TEST_F(ServicesTest, a_program_that_ignores_SIGTERM_is_killed) {
  const auto begun = clock_.since_boot();
  const auto done = sh("trap '' TERM; while :; do sleep 1; done", 1s);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_LT(clock_.since_boot() - begun, 12s);
}

TEST_F(ServicesTest, arguments_are_never_expanded) {
  const auto done =
      systemd_.run({{"/bin/echo", "$HOME", "${PATH}", "$$", "%n", "a  b", "*", "\\x41", "\"q\"", ""}, 10s});
  EXPECT_EQ(done.value().output, "$HOME ${PATH} $$ %n a  b * \\x41 \"q\" \n");
}

TEST_F(ServicesTest, locale_and_path_are_fixed_and_ours_is_not_inherited) {
  ::setenv("GPUHOST_TEST_LEAK", "leaked", 1);
  const auto output = systemd_.run({{"/usr/bin/env"}, 10s}).value().output;
  ::unsetenv("GPUHOST_TEST_LEAK");
  EXPECT_NE(output.find("LC_ALL=C\n"), std::string::npos);
  EXPECT_NE(output.find("PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"), std::string::npos);
  EXPECT_EQ(output.find("LEAK"), std::string::npos);
}

TEST_F(ServicesTest, run_in_the_root_with_no_input) {
  EXPECT_EQ(sh("pwd; cat").value().output, "/\n");
}

TEST_F(ServicesTest, a_missing_program_is_not_found) {
  EXPECT_EQ(systemd_.run({{"/no/such/program"}, 5s}).error().kind, ErrorKind::not_found);
}

TEST_F(ServicesTest, a_file_that_is_no_program_is_an_error_not_a_result) {
  const auto done = systemd_.run({{"/lab/no-program"}, 5s});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("systemd could not run /lab/no-program"), std::string::npos)
      << done.error().message;
}

TEST_F(ServicesTest, the_real_host_reaches_systemd_by_the_library_beside_the_program) {
  RealHost real;
  const Host host = real.host();
  const auto bus = host.view.units.state("dbus.service");
  ASSERT_TRUE(bus) << bus.error().message;
  EXPECT_EQ(bus->active_state, "active");
  EXPECT_EQ(host.commands.run({{"/bin/cat", "/proc/self/cgroup"}}).value().output.find("gpuhost-cat-") !=
                std::string::npos,
            true);
}

/// Last, since it takes the bus away.
TEST_F(UnitsTest, without_a_bus_units_are_unavailable_and_come_back_with_it) {
  LazySystemd lazy;
  ASSERT_TRUE(lazy.state("dbus.service"));
  systemctl({"stop", "dbus.socket", "dbus.service"});
  const auto direct = systemd_.state("dbus.service");
  ASSERT_FALSE(direct);
  EXPECT_EQ(direct.error().kind, ErrorKind::unavailable) << direct.error().message;
  EXPECT_EQ(lazy.state("dbus.service").error().kind, ErrorKind::unavailable);
  systemctl({"start", "dbus.socket"});
  EXPECT_TRUE(lazy.state("dbus.service"));
}

}  // namespace
}  // namespace gpuhost
