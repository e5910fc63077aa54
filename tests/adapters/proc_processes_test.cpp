#include "host/real/proc_processes.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include "adapters/scratch_directory.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;
using testing::ScratchDirectory;

/// A /dev and a /proc that are made up.
class ProcProcessesTest : public ::testing::Test {
 protected:
  ProcProcessesTest() {
    fs::create_directories(root_.path("/dev"));
    process("1", "systemd", "0::/init.scope\n", {"/dev/null"});
  }
  void node(const std::string& path) const { root_.write(path, ""); }
  void process(const std::string& pid, const std::string& name, const std::string& cgroup,
               const std::vector<std::string>& opens) const {
    const auto folder = "/proc/" + pid;
    root_.write(folder + "/comm", name + "\n");
    root_.write(folder + "/cgroup", cgroup);
    fs::create_directories(root_.path(folder + "/fd"));
    int number = 0;
    for (const auto& target : opens)
      fs::create_symlink(target, root_.path(folder + "/fd/" + std::to_string(number++)));
  }
  [[nodiscard]] Result<std::vector<Process>> users() const {
    return ProcProcesses(root_.path()).device_users();
  }

  ScratchDirectory root_;
};

TEST_F(ProcProcessesTest, lists_who_has_a_node_open_by_pid_with_each_node_once) {
  node("/dev/nvidia0");
  process("912", "nvidia-persiste", "0::/system.slice/nvidia-persistenced.service\n",
          {"/dev/null", "/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia0", "socket:[4711]"});
  process("97", "Xorg", "0::/user.slice\n", {"/dev/dri/card1", "/dev/dri/renderD128"});
  process("5000", "qemu-system-x86", "0::/machine.slice/machine-qemu\\x2d1\\x2da.scope\n",
          {"/dev/vfio/vfio", "/dev/vfio/57", "/dev/vfio/devices/vfio3"});
  process("5001", "bash", "0::/user.slice\n", {"/dev/pts/0", "/home/dev/nvidia0", "/dev/vfio/vfio"});
  const auto found = users();
  ASSERT_TRUE(found) << found.error().message;
  const std::vector<Process> expected{{97, "Xorg", "/user.slice", {"/dev/dri/card1", "/dev/dri/renderD128"}},
                                      {912,
                                       "nvidia-persiste",
                                       "/system.slice/nvidia-persistenced.service",
                                       {"/dev/nvidia0", "/dev/nvidiactl"}},
                                      {5000,
                                       "qemu-system-x86",
                                       "/machine.slice/machine-qemu\\x2d1\\x2da.scope",
                                       {"/dev/vfio/57", "/dev/vfio/devices/vfio3"}}};
  EXPECT_EQ(*found, expected);
}

TEST_F(ProcProcessesTest, a_node_that_was_removed_while_open_is_in_use_all_the_same) {
  node("/dev/nvidia1");
  process("20", "python3", "0::/\n", {"/dev/nvidia0 (deleted)"});
  const auto found = users();
  ASSERT_EQ(found.value().size(), 1U);
  EXPECT_EQ(found->front().devices, std::vector<std::string>{"/dev/nvidia0"});
}

TEST_F(ProcProcessesTest, our_own_process_is_left_out) {
  node("/dev/nvidia0");
  process(std::to_string(::getpid()), "gpuhost", "0::/\n", {"/dev/nvidia0"});
  EXPECT_EQ(users().value(), std::vector<Process>{});
}

TEST_F(ProcProcessesTest, without_nodes_nothing_is_read) {
  node("/dev/null");
  node("/dev/vfio/vfio");  // systemd makes it on every host
  fs::remove_all(root_.path("/proc"));
  EXPECT_EQ(users().value(), std::vector<Process>{});
  node("/dev/vfio/12");
  EXPECT_EQ(users().error().kind, ErrorKind::not_found) << "now /proc matters";
}

TEST_F(ProcProcessesTest, the_cgroup_is_that_of_the_hierarchy_which_systemd_uses) {
  node("/dev/dri/card0");
  const std::vector<std::string> opens{"/dev/dri/card0"};
  process("10", "hybrid",
          "12:devices:/other\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", opens);
  process("11", "legacy", "12:devices:/other\n1:name=systemd:/system.slice/b:c.service\n", opens);
  process("12", "beside", "1:name=systemd:/system.slice/d.service\n0::/\n", opens);
  process("13", "unified", "1:name=systemd:/\n0::/system.slice/e.service\n", opens);
  process("14", "top", "0::/\n", opens);
  process("15", "none", "", opens);
  const auto found = users();
  ASSERT_TRUE(found) << found.error().message;
  std::vector<std::string> cgroups;
  for (const auto& user : *found) cgroups.push_back(user.cgroup);
  const std::vector<std::string> expected{"/system.slice/a.service",
                                          "/system.slice/b:c.service",
                                          "/system.slice/d.service",
                                          "/system.slice/e.service",
                                          "/",
                                          ""};
  EXPECT_EQ(cgroups, expected);
}

TEST_F(ProcProcessesTest, a_process_that_ends_meanwhile_is_no_error) {
  node("/dev/nvidia0");
  fs::create_directories(root_.path("/proc/30"));  // its descriptors are gone already
  fs::create_directories(root_.path("/proc/self"));
  EXPECT_EQ(users().value(), std::vector<Process>{});
}

TEST_F(ProcProcessesTest, where_processes_are_hidden_it_cannot_be_told) {
  node("/dev/nvidia0");
  process("40", "python3", "0::/\n", {"/dev/nvidia0"});
  fs::remove_all(root_.path("/proc/1"));
  const auto found = users();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::denied);
  EXPECT_EQ(found.error().message, "cannot tell who uses the GPUs: not all processes may be looked at");
  EXPECT_EQ(found.error().advice, "run as root");
}

TEST_F(ProcProcessesTest, where_a_process_may_not_be_looked_at_it_cannot_be_told) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  node("/dev/nvidia0");
  process("40", "python3", "0::/\n", {"/dev/nvidia0"});
  fs::permissions(root_.path("/proc/40/fd"), fs::perms::owner_all);
  ASSERT_TRUE(users());
  ASSERT_EQ(::seteuid(65534), 0);
  const auto found = users();
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::denied);
}

TEST(ProcProcesses, of_this_machine_can_be_read) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto found = ProcProcesses().device_users();
  EXPECT_TRUE(found) << found.error().message;
}

}  // namespace
}  // namespace gpuhost
