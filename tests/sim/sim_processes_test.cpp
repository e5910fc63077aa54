#include "host/sim/sim_processes.hpp"

#include <gtest/gtest.h>

#include "guest_host.hpp"
#include "host/sim/sim_guests.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

using namespace std::chrono_literals;

/// What NVIDIA's driver says of a GPU that it has.
void add_nvidia(HostFile& host, const std::string& address, const std::string& minor) {
  host.files["/proc/driver/nvidia/gpus/" + address + "/information"] =
      HostFile::Text{"Model: \t\t NVIDIA A40\nDevice Minor: \t " + minor + "\n"};
}

HostFile host() {
  auto made = guest_host();
  add_nvidia(made, "0000:43:00.0", "0");
  made.processes[4711] = {"nvidia-persiste", "/system.slice/nvidia-persistenced.service", {"/dev/nvidia0"}};
  made.processes[4712] = {
      "python3", "/user.slice/user-1000.slice/session-3.scope", {"/dev/nvidia0", "/dev/nvidiactl"}};
  made.units["nvidia-persistenced.service"].state = {"loaded", "active", "running", "enabled"};
  return made;
}

std::vector<Process> users(const SimHost& sim) {
  return sim.view().processes.device_users().value_or(std::vector<Process>{});
}

TEST(SimProcesses, AreThoseListed) {
  const SimHost sim(host());
  EXPECT_EQ(users(sim),
            (std::vector<Process>{
                {4711, "nvidia-persiste", "/system.slice/nvidia-persistenced.service", {"/dev/nvidia0"}},
                {4712,
                 "python3",
                 "/user.slice/user-1000.slice/session-3.scope",
                 {"/dev/nvidia0", "/dev/nvidiactl"}}}));
}

TEST(SimProcesses, OfAUnitLiveWhileItIsUp) {
  SimHost sim(host());
  ASSERT_TRUE(sim.host().units.stop("nvidia-persistenced.service", 10s));
  ASSERT_EQ(users(sim).size(), 1U);
  EXPECT_EQ(users(sim)[0].pid, 4712);
  ASSERT_TRUE(sim.host().units.start("nvidia-persistenced.service", 10s));
  EXPECT_EQ(users(sim).size(), 2U);
}

TEST(SimProcesses, OfAUnitInASliceLiveWhileItIsUp) {
  auto file = guest_host();
  file.processes[7] = {"smi", "/system.slice/system-smi.slice/smi@1.service/worker", {"/dev/nvidiactl"}};
  file.units["smi@1.service"].state = {"loaded", "inactive", "dead", "disabled"};
  EXPECT_TRUE(users(SimHost(file)).empty());
  file.units["smi@1.service"].state.active_state = "deactivating";
  EXPECT_EQ(users(SimHost(file)).size(), 1U) << "it has not stopped yet";
  file.units.clear();
  EXPECT_EQ(users(SimHost(file)).size(), 1U) << "nobody can have stopped it";
}

TEST(SimProcesses, HaveNoGpuOpenThatNvidiasDriverDoesNotHave) {
  auto file = host();
  file.files.erase("/proc/driver/nvidia/gpus/0000:43:00.0/information");
  const SimHost sim(file);
  ASSERT_EQ(users(sim).size(), 1U);
  EXPECT_EQ(users(sim)[0].devices, std::vector<std::string>{"/dev/nvidiactl"});
}

TEST(SimProcesses, ARunningGuestHasTheGroupsOfItsDevices) {
  auto file = guest_host();
  add_domain(file, "spare-02");
  add_domain(file, "train-01", pci_element("0") + mdev_element(free_mdev) + mdev_element(other_mdev));
  SimHost sim(file);
  EXPECT_TRUE(users(sim).empty());
  ASSERT_TRUE(sim.host().domains.start(qemu, "train-01"));
  ASSERT_EQ(users(sim).size(), 1U);
  const auto guest = users(sim)[0];
  EXPECT_EQ(guest.name, "qemu-system-x86");
  EXPECT_EQ(guest.cgroup, "/machine.slice/machine-qemu\\x2d2\\x2dtrain\\x2d01.scope");
  EXPECT_EQ(guest.devices, (std::vector<std::string>{"/dev/vfio/57", "/dev/vfio/90", "/dev/vfio/91"}));
  ASSERT_TRUE(sim.host().domains.detach(qemu, "train-01", mdev_element(free_mdev), 10s));
  EXPECT_EQ(users(sim)[0].devices, (std::vector<std::string>{"/dev/vfio/57", "/dev/vfio/91"}));
  EXPECT_EQ(users(sim)[0].pid, guest.pid);
  ASSERT_TRUE(sim.host().domains.destroy(qemu, "train-01"));
  EXPECT_TRUE(users(sim).empty());
}

TEST(SimProcesses, ARecordedGuestKeepsItsProcess) {
  auto file = guest_host();
  add_domain(file, "train-01", mdev_element(free_mdev) + mdev_element(other_mdev)).running = true;
  file.processes[812] = {"qemu-kvm",
                         "/machine.slice/machine-qemu\\x2d31\\x2dtrain\\x2d01.scope/libvirt/emulator",
                         {"/dev/dri/renderD128", "/dev/vfio/90", "/dev/vfio/91"}};
  SimHost sim(file);
  ASSERT_EQ(users(sim).size(), 1U);
  EXPECT_EQ(users(sim)[0].pid, 812);
  EXPECT_EQ(users(sim)[0].devices, file.processes[812].opens);
  ASSERT_TRUE(sim.host().domains.detach(qemu, "train-01", mdev_element(free_mdev), 10s));
  EXPECT_EQ(users(sim)[0].devices, (std::vector<std::string>{"/dev/dri/renderD128", "/dev/vfio/91"}));
  ASSERT_TRUE(sim.host().domains.destroy(qemu, "train-01"));
  EXPECT_TRUE(users(sim).empty());
  ASSERT_TRUE(sim.host().domains.start(qemu, "train-01"));
  ASSERT_EQ(users(sim).size(), 1U);
  EXPECT_NE(users(sim)[0].pid, 812) << "it is a new process";
}

TEST(SimProcesses, GuestsHavePidsOfTheirOwn) {
  auto file = guest_host();
  add_domain(file, "train-01", mdev_element(free_mdev)).running = true;
  add_domain(file, "train-02", mdev_element(other_mdev)).running = true;
  const auto first = users(SimHost(file)).at(0).pid;
  file.processes[first] = {"python3", "", {"/dev/nvidiactl"}};
  const auto all = users(SimHost(file));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_LT(all[0].pid, all[1].pid);
  EXPECT_LT(all[1].pid, all[2].pid);
}

TEST(SimProcesses, CanBeAskedByDevice) {
  auto file = host();
  add_domain(file, "train-01", mdev_element(free_mdev)).running = true;
  const SimFiles files(file.files);
  ASSERT_EQ(users_of(file, files, "/dev/nvidia0").size(), 2U);
  EXPECT_EQ(users_of(file, files, "/dev/nvidia0")[1].pid, 4712);
  ASSERT_EQ(users_of(file, files, "/dev/vfio/90").size(), 1U);
  EXPECT_EQ(users_of(file, files, "/dev/vfio/90")[0].name, "qemu-system-x86");
  EXPECT_TRUE(users_of(file, files, "/dev/vfio/9").empty());
}

TEST(SimProcesses, AfterABootThereAreThoseOfUnits) {
  auto file = host();
  file.units["nvidia-persistenced.service"].state.active_state = "inactive";
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  ASSERT_EQ(users(sim).size(), 1U);
  EXPECT_EQ(users(sim)[0].pid, 4711);
}

TEST(SimProcesses, MayNotBeTold) {
  auto file = host();
  file.processes_unknown = Error{ErrorKind::denied, "cannot tell who has /dev/nvidia0 open", "run as root"};
  EXPECT_EQ(SimHost(file).view().processes.device_users().error(), *file.processes_unknown);
}

TEST(SimGuests, AreInAScopeNamedAsSystemdDoes) {
  EXPECT_EQ(guest_cgroup(3, "a.b_c d--e-"), "/machine.slice/machine-qemu\\x2d3\\x2da.bcd\\x2de.scope");
  const std::string scope = guest_cgroup(12, "train-01");
  EXPECT_TRUE(is_cgroup_of_guest(scope, "train-01"));
  EXPECT_TRUE(is_cgroup_of_guest(scope + "/libvirt/emulator", "train-01"));
  EXPECT_FALSE(is_cgroup_of_guest(scope, "train-0"));
  EXPECT_FALSE(is_cgroup_of_guest(scope + "x", "train-01"));
  EXPECT_FALSE(is_cgroup_of_guest("/system.slice/a.service", "train-01"));
}

}  // namespace
}  // namespace gpuhost
