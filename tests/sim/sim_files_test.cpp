#include <gtest/gtest.h>

#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

HostFile host_with(std::map<std::string, HostFile::Entry> files) {
  HostFile host;
  host.name = "test";
  host.files = std::move(files);
  return host;
}

HostFile::Text text(std::string content, unsigned mode = 0644) {
  return {std::move(content), mode};
}

TEST(SimFiles, ReadsThroughSymbolicLinks) {
  const SimHost sim(host_with({{"/usr/sbin/tool", text("x")},
                               {"/sbin", HostFile::Link{"usr/sbin"}},
                               {"/etc/tool", HostFile::Link{"../sbin/./tool"}}}));
  const auto& files = sim.view().files;
  EXPECT_EQ(files.read("/sbin/tool"), "x");
  EXPECT_EQ(files.read("/etc//tool"), "x");
  EXPECT_EQ(files.link_target("/etc/tool"), "../sbin/./tool");
  EXPECT_EQ(files.status("/etc/tool")->type, FileStatus::Type::symlink);
  EXPECT_EQ(files.read("/../sbin/tool"), "x") << "`..` does not lead out of the root";
}

TEST(SimFiles, EndsALoopOfLinksWithAnError) {
  const SimHost sim(host_with({{"/a", HostFile::Link{"/b"}}, {"/b", HostFile::Link{"/a"}}}));
  const auto read = sim.view().files.read("/a");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::io);
}

TEST(SimFiles, TellsAbsentFromUnreadable) {
  const SimHost sim(
      host_with({{"/etc/secret", HostFile::Unreadable{"cannot read /etc/secret: Permission denied", true}},
                 {"/etc/broken", HostFile::Unreadable{"cannot read /etc/broken: I/O error"}},
                 {"/root/x", HostFile::Unreadable{"cannot look at /root/x: denied", true, true}}}));
  const auto& files = sim.view().files;
  EXPECT_EQ(files.read("/etc/none").error().kind, ErrorKind::not_found);
  EXPECT_EQ(files.read("/etc/secret").error(),
            (Error{ErrorKind::denied, "cannot read /etc/secret: Permission denied"}));
  EXPECT_EQ(files.read("/etc/broken").error().kind, ErrorKind::io);
  EXPECT_EQ(files.exists("/etc/secret"), true);
  EXPECT_EQ(files.exists("/etc/none"), false);
  EXPECT_FALSE(files.exists("/root/x"));
  EXPECT_EQ(files.read("relative").error().kind, ErrorKind::invalid);
}

TEST(SimFiles, ListsDirectoriesThatExistOnlyByWhatIsInThem) {
  const SimHost sim(host_with({{"/sys/class/iommu", HostFile::Directory{}},
                               {"/sys/bus/pci/devices/0000:01:00.0/vendor", text("0x10de\n")},
                               {"/sys/bus/pci/devices/0000:01:00.0/device", text("0x20f1\n")},
                               {"/sys/bus/pci/devices/0000:01:00.0-x", text("")}}));
  const auto& files = sim.view().files;
  EXPECT_EQ(*files.list("/sys/bus/pci/devices"),
            (std::vector<std::string>{"0000:01:00.0", "0000:01:00.0-x"}));
  EXPECT_EQ(*files.list("/sys"), (std::vector<std::string>{"bus", "class"}));
  EXPECT_TRUE(files.list("/sys/class/iommu")->empty());
  EXPECT_EQ(files.list("/sys/none").error().kind, ErrorKind::not_found);
  EXPECT_EQ(files.status("/sys/bus")->type, FileStatus::Type::directory);
  EXPECT_EQ(files.read("/sys/bus").error().kind, ErrorKind::io) << "a directory is not read";
  EXPECT_EQ(files.list("/sys/bus/pci/devices/0000:01:00.0/vendor").error().kind, ErrorKind::not_found);
}

TEST(SimFiles, ReplacesKeepingTheModeAndMakesDirectories) {
  SimHost sim(host_with({{"/etc/old", text("a", 0600)}}));
  auto host = sim.host();
  ASSERT_TRUE(host.files.replace("/etc/old", "b"));
  ASSERT_TRUE(host.files.replace("/var/lib/gpuhost/new", "c", 0640));
  EXPECT_EQ(host.view.files.status("/etc/old")->mode, 0600U);
  EXPECT_EQ(host.view.files.status("/var/lib/gpuhost/new")->mode, 0640U);
  EXPECT_EQ(host.view.files.read("/var/lib/gpuhost/new"), "c");
  EXPECT_FALSE(host.files.replace("/etc/old/below", "d")) << "a file is no directory";
  EXPECT_FALSE(host.files.replace("/var/lib", "d")) << "a directory is not replaced";
}

TEST(SimFiles, ReplacesTheFileBehindALink) {
  SimHost sim(host_with({{"/etc/alias", HostFile::Link{"real"}}, {"/etc/real", text("a")}}));
  ASSERT_TRUE(sim.host().files.replace("/etc/alias", "b"));
  EXPECT_EQ(sim.view().files.read("/etc/real"), "b");
  EXPECT_EQ(sim.view().files.status("/etc/alias")->type, FileStatus::Type::symlink);
}

TEST(SimFiles, RefusesToReplaceOrRemoveWhatTheKernelMakes) {
  SimHost sim(host_with({{"/proc/cmdline", text("quiet\n")}, {"/sys/x", text("1\n")}}));
  auto host = sim.host();
  EXPECT_EQ(host.files.replace("/proc/cmdline", "x").error().kind, ErrorKind::denied);
  EXPECT_EQ(host.files.replace("/sys/new", "x").error().kind, ErrorKind::denied);
  EXPECT_EQ(host.files.remove("/sys/x").error().kind, ErrorKind::denied);
  EXPECT_EQ(host.view.files.read("/proc/cmdline"), "quiet\n");
}

TEST(SimFiles, WritesAttributesOnlyWhereTheKernelMadeOne) {
  SimHost sim(host_with({{"/sys/a/numvfs", text("0\n")}, {"/etc/file", text("x")}}));
  auto host = sim.host();
  ASSERT_TRUE(host.files.write_attribute("/sys/a/numvfs", "4"));
  EXPECT_EQ(host.view.files.read("/sys/a/numvfs"), "4\n");
  EXPECT_EQ(host.files.write_attribute("/sys/a/none", "4").error().kind, ErrorKind::not_found);
  EXPECT_EQ(host.files.write_attribute("/sys/a", "4").error().kind, ErrorKind::io);
  EXPECT_EQ(host.files.write_attribute("/etc/file", "4").error().kind, ErrorKind::invalid);
}

TEST(SimFiles, RemovesOnceAndKeepsTheDirectory) {
  SimHost sim(host_with({{"/etc/modprobe.d/a.conf", text("x")}}));
  auto host = sim.host();
  ASSERT_TRUE(host.files.remove("/etc/modprobe.d/a.conf"));
  ASSERT_TRUE(host.files.remove("/etc/modprobe.d/a.conf")) << "removing what is gone is no error";
  EXPECT_TRUE(host.view.files.list("/etc/modprobe.d")->empty());
  EXPECT_FALSE(host.files.remove("/etc/modprobe.d")) << "a directory is not removed";
  ASSERT_TRUE(host.files.replace("/etc/modprobe.d/a.conf", "x"));
  EXPECT_EQ(sim.file(), host_with({{"/etc/modprobe.d/a.conf", text("x")}})) << "as it was before";
}

TEST(SimHost, WritesEveryAccessDownAndTellsWrites) {
  SimHost sim(host_with({{"/etc/a", text("x")}}));
  auto host = sim.host();
  static_cast<void>(host.view.files.read("/etc/a"));
  static_cast<void>(host.files.remove("/etc/a"));
  static_cast<void>(host.modules.load("kvm"));
  const auto log = sim.accesses();
  ASSERT_EQ(log.size(), 3U);
  EXPECT_EQ(log[0].call + " " + log[0].object, "files.read /etc/a");
  EXPECT_FALSE(log[0].write);
  EXPECT_EQ(log[1].call + " " + log[1].object, "files.remove /etc/a");
  EXPECT_TRUE(log[1].write);
  EXPECT_EQ(log[2].call + " " + log[2].object, "modules.load kvm");
}

TEST(SimHost, FailsTheChosenCallOnceAndBeforeItActs) {
  SimHost sim(host_with({{"/etc/a", text("x")}}));
  auto host = sim.host();
  sim.inject("files.replace /etc/a", 2, {ErrorKind::io, "disk full"});
  ASSERT_TRUE(host.files.replace("/etc/a", "1"));
  EXPECT_EQ(host.files.replace("/etc/a", "2").error().message, "disk full");
  EXPECT_EQ(host.view.files.read("/etc/a"), "1");
  EXPECT_TRUE(host.files.replace("/etc/a", "3"));
  sim.inject("modules.loaded ", 1, {ErrorKind::denied, "no"});
  EXPECT_FALSE(host.view.modules.loaded());
}

TEST(SimHost, ShowsTheSameTimesInEveryRun) {
  const auto run = [] {
    SimHost sim(host_with({}));
    auto first = sim.view().clock.utc_now();
    EXPECT_TRUE(sim.reboot());
    return first + " " + sim.view().clock.utc_now();
  };
  EXPECT_EQ(run(), "2026-01-01T12:00:00Z 2026-01-01T12:01:10Z");
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace gpuhost
