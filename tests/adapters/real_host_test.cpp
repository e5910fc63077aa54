#include "host/real/real_host.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "adapters/scratch_directory.hpp"
#include "base/text.hpp"
#include "host/real/deadline.hpp"
#include "host/real/lazy_systemd.hpp"

namespace gpuhost {
namespace {

using testing::ScratchDirectory;
using namespace std::chrono_literals;

TEST(RealHost, the_live_machine_runs) {
  const RealHost host;
  EXPECT_TRUE(host.view().running);
  EXPECT_TRUE(host.view().files.exists("/proc/self/status").value());
}

TEST(RealHost, under_a_root_files_change_and_nothing_else) {
  const ScratchDirectory root;
  RealHost real(root.path());
  const Host host = real.host();
  EXPECT_FALSE(host.view.running);
  EXPECT_TRUE(host.files.replace("/etc/x", "text"));
  EXPECT_EQ(root.read("/etc/x"), "text");
  EXPECT_EQ(host.view.modules.loaded().error().kind, ErrorKind::unsupported);
  EXPECT_EQ(host.view.modules.available("kvm").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(host.modules.load("kvm").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(host.modules.unload("kvm").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(host.view.units.state("dbus.service").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.units.start("dbus.service", 1s).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.units.stop("dbus.service", 1s).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.units.reload("dbus.service", 1s).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.units.enable("dbus.service").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.units.disable("dbus.service").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.commands.run({{"/bin/true"}}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(real.reboot().error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.view.units.state("x").error().message,
            root.path() + " is a directory, not the running system: only its files can be read and changed");
}

TEST(RealHost, without_systemd_units_are_unknown_and_commands_are_children) {
  if (LazySystemd::booted()) GTEST_SKIP() << "systemd runs here";
  RealHost real;
  const Host host = real.host();
  const auto state = host.view.units.state("dbus.service");
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(state.error().message, "systemd does not run here (there is no /run/systemd/system)");
  EXPECT_EQ(host.units.start("dbus.service", 1s).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(real.reboot().error().kind, ErrorKind::unavailable);
  EXPECT_EQ(host.commands.run({{"/bin/echo", "hello"}}).value().output, "hello\n");
}

TEST(LazySystemd, the_library_belongs_beside_the_program) {
  EXPECT_TRUE(installed_adapter_library("systemd").ends_with("/../lib/gpuhost/libgpuhost-systemd.so"));
  EXPECT_TRUE(installed_adapter_library("systemd").starts_with('/'));
}

TEST(BootClock, goes_on_and_prints_RFC_3339) {
  const RealHost host;
  const auto& clock = host.view().clock;
  const auto first = clock.since_boot();
  EXPECT_GT(clock.since_boot(), first);
  EXPECT_TRUE(
      glob_matches("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z", clock.utc_now()));
}

TEST(Deadline, passes_once_and_for_ever) {
  EXPECT_TRUE(Deadline(-1s).passed());
  EXPECT_FALSE(Deadline(1h).passed());
}

}  // namespace
}  // namespace gpuhost
