#include <gtest/gtest.h>

#include "gpu_hosts.hpp"
#include "guest_host.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

using namespace std::chrono_literals;
using gpu_hosts::Machine;

HostFile host_with(const std::string& devices) {
  auto host = guest_host();
  add_domain(host, "train-01", devices);
  return host;
}

Result<void> start(SimHost& sim) {
  return sim.host().domains.start(qemu, "train-01");
}

struct Refusal {
  std::string name;
  std::string devices;
  void (*change)(HostFile& host);
  ErrorKind kind;
  std::string message;
};

class StartRefused : public ::testing::TestWithParam<Refusal> {};

TEST_P(StartRefused, AsLibvirtDoes) {
  auto file = host_with(GetParam().devices);
  GetParam().change(file);
  SimHost sim(file);
  const auto started = start(sim);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, GetParam().kind);
  EXPECT_EQ(started.error().message, "cannot start domain train-01: " + GetParam().message);
  EXPECT_EQ(sim.file(), file) << "nothing has changed";
}

INSTANTIATE_TEST_SUITE_P(
    SimHostDevices, StartRefused,
    testing::Values(
        Refusal{"MdevNotThere", mdev_element("11111111-2222-4333-8444-5555555555ff"), [](HostFile&) {},
                ErrorKind::not_found,
                "device not found: mediated device '11111111-2222-4333-8444-5555555555ff' not found"},
        Refusal{
            "PciNotThere", pci_element("5"), [](HostFile&) {}, ErrorKind::not_found,
            "Device 0000:41:00.5 not found: could not access /sys/bus/pci/devices/0000:41:00.5/config: No "
            "such file or directory"},
        Refusal{
            "NotBoundToVfio", pci_element("0"),
            [](HostFile& host) { add_function(host, "0000:41:00.0", "nvidia", "57"); }, ErrorKind::busy,
            "Requested operation is not valid: Unmanaged PCI device 0000:41:00.0 must be manually detached "
            "from the host"},
        Refusal{
            "BoundToNothing", pci_element("0"),
            [](HostFile& host) { host.files.erase("/sys/bus/pci/devices/0000:41:00.0/driver"); },
            ErrorKind::busy,
            "Requested operation is not valid: Unmanaged PCI device 0000:41:00.0 must be manually detached "
            "from the host"},
        Refusal{
            "GroupNotViable", pci_element("0", "no", "0x42"),
            [](HostFile& host) { add_function(host, "0000:42:00.1", "snd_hda_intel", "58"); }, ErrorKind::io,
            "internal error: qemu unexpectedly closed the monitor: vfio 0000:42:00.0: group 58 is not "
            "viable; Please ensure all devices within the iommu_group are bound to their vfio bus driver."},
        Refusal{"IommuOff", pci_element("0"),
                [](HostFile& host) {
                  std::erase_if(host.files, [](const auto& entry) {
                    return entry.first.find("iommu_group") != std::string::npos;
                  });
                },
                ErrorKind::unsupported,
                "unsupported configuration: host doesn't support passthrough of host PCI devices"},
        Refusal{
            "MdevInUse", mdev_element(free_mdev),
            [](HostFile& host) { add_domain(host, "other-02", mdev_element(free_mdev)).running = true; },
            ErrorKind::busy,
            "Requested operation is not valid: mediated device 11111111-2222-4333-8444-555555555501 is in "
            "use by driver QEMU, domain other-02"},
        Refusal{"GroupInUse", pci_element("0", "no", "0x42"),
                [](HostFile& host) {
                  add_domain(host, "other-02", pci_element("1", "no", "0x42")).running = true;
                },
                ErrorKind::busy,
                "Requested operation is not valid: PCI device 0000:42:00.1 is in use by driver QEMU, domain "
                "other-02"},
        Refusal{"VfioNotToBeHad", pci_element("0", "yes"),
                [](HostFile& host) { add_function(host, "0000:41:00.0", "nvidia", "57"); }, ErrorKind::io,
                "internal error: Failed to load PCI driver module vfio-pci"}),
    [](const auto& refusal) { return refusal.param.name; });

TEST(SimHostDevices, WhatADomainOnlyDefinesIsNotInUse) {
  auto file = host_with(mdev_element(free_mdev));
  auto& other = add_domain(file, "other-02", mdev_element(free_mdev));
  other.running = true;
  other.live = domain_xml("other-02");
  SimHost sim(file);
  EXPECT_TRUE(start(sim));
}

TEST(SimHostDevices, AFunctionWithAVendorVgpuIsGivenToAGuestAsItIs) {
  auto file = host_with(pci_element("4"));
  add_function(file, "0000:41:00.4", "nvidia", "60");
  file.files["/sys/bus/pci/devices/0000:41:00.4/nvidia/current_vgpu_type"] = HostFile::Text{"0\n"};
  SimHost without(file);
  EXPECT_FALSE(start(without));
  file.files["/sys/bus/pci/devices/0000:41:00.4/nvidia/current_vgpu_type"] = HostFile::Text{"1145\n"};
  SimHost with(file);
  EXPECT_TRUE(start(with));
}

constexpr const char* gpu = "0000:21:00.0";
constexpr const char* audio = "0000:21:00.1";

std::string slot_element(const std::string& function, const std::string& managed = "yes") {
  return pci_element(function, managed, "0x21");
}

/// A GPU and its audio function, with the drivers of the host, and a domain that is off.
HostFile workstation_with(const std::string& devices) {
  auto host = gpu_hosts::workstation();
  host.domains[qemu] = {};
  add_domain(host, "train-01", devices);
  return host;
}

TEST(SimHostDevices, ManagedOnesAreBoundToVfioAndGivenBack) {
  Machine host(workstation_with(slot_element("0") + slot_element("1")));
  ASSERT_TRUE(start(host.sim));
  EXPECT_EQ(host.driver(gpu), "vfio-pci");
  EXPECT_EQ(host.driver(audio), "vfio-pci");
  EXPECT_EQ(host.sim.view().processes.device_users()->size(), 1U);
  ASSERT_TRUE(host.sim.host().domains.shut_down(qemu, "train-01", 10s));
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/driver_override"), "(null)");
}

TEST(SimHostDevices, ManagedOnesGoBackWhenTheStartFails) {
  Machine host(workstation_with(slot_element("0")));
  const auto started = start(host.sim);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("is not viable"), std::string::npos) << started.error().message;
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/driver_override"), "(null)");
}

TEST(SimHostDevices, ManagedOnesThatWereOnVfioStayThere) {
  Machine host(workstation_with(slot_element("0") + slot_element("1")));
  host.to_vfio(gpu);
  ASSERT_TRUE(start(host.sim));
  ASSERT_TRUE(host.sim.host().domains.destroy(qemu, "train-01"));
  EXPECT_EQ(host.driver(gpu), "vfio-pci");
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
}

TEST(SimHostDevices, ManagedOnesInUseByTheHostAreNotTaken) {
  auto file = workstation_with(slot_element("0") + slot_element("1"));
  file.units["x.service"].state = {"loaded", "active", "running", "enabled"};
  file.processes[99] = {"python3", "/system.slice/x.service", {"/dev/nvidia0"}};
  Machine host(file);
  EXPECT_FALSE(start(host.sim));
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
  ASSERT_TRUE(host.sim.host().units.stop("x.service", 10s));
  EXPECT_TRUE(start(host.sim));
}

TEST(SimHostDevices, ManagedOnesComeAndGoWhileTheGuestRuns) {
  Machine host(workstation_with(slot_element("1")));
  ASSERT_FALSE(start(host.sim)) << "nvidia has the GPU of the group";
  host.to_vfio(gpu);
  ASSERT_TRUE(start(host.sim));
  const auto attached = host.sim.host().domains.attach(qemu, "train-01", slot_element("0"));
  ASSERT_TRUE(attached) << attached.error().message;
  auto& domains = host.sim.host().domains;
  ASSERT_TRUE(domains.detach(qemu, "train-01", slot_element("0"), 10s));
  EXPECT_EQ(host.driver(gpu), "vfio-pci") << "it was there before";
  ASSERT_TRUE(domains.detach(qemu, "train-01", slot_element("1"), 10s));
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
}

TEST(SimHostDevices, NoDriverOfTheHostGetsPartOfAGroupThatAGuestHas) {
  Machine host(workstation_with(slot_element("0") + slot_element("1")));
  ASSERT_TRUE(start(host.sim));
  ASSERT_TRUE(host.sim.host().domains.detach(qemu, "train-01", slot_element("1"), 10s));
  EXPECT_NE(host.driver(audio), "snd_hda_intel");
  EXPECT_TRUE(host.sim.view().domains.domain(qemu, "train-01")->running);
}

TEST(SimHostDevices, WhatAGuestHasCannotBeTakenFromUnderIt) {
  Machine host(workstation_with(slot_element("0", "no") + slot_element("1", "no")));
  EXPECT_FALSE(start(host.sim));
  host.to_vfio(gpu);
  host.to_vfio(audio);
  ASSERT_TRUE(start(host.sim));
  EXPECT_FALSE(host.write(Machine::pci(gpu) + "/driver/unbind", gpu));
  ASSERT_TRUE(host.sim.host().domains.destroy(qemu, "train-01"));
  EXPECT_EQ(host.driver(gpu), "vfio-pci") << "nobody but the administrator gives it back";
  EXPECT_TRUE(host.write(Machine::pci(gpu) + "/driver/unbind", gpu));
}

TEST(SimHostDevices, AGuestComesBackAfterABootIfItsDevicesDo) {
  auto file = workstation_with(slot_element("0") + slot_element("1"));
  file.domains[qemu].domains["train-01"].autostart = true;
  add_domain(file, "static-02", slot_element("0", "no")).autostart = true;
  Machine host(file);
  EXPECT_TRUE(host.sim.view().domains.domain(qemu, "train-01")->running);
  EXPECT_FALSE(host.sim.view().domains.domain(qemu, "static-02")->running);
  EXPECT_EQ(host.driver(gpu), "vfio-pci");
}

TEST(SimHostDevices, AVgpuIsGoneAfterABootAndItsGuestStaysOff) {
  auto file = gpu_hosts::m60();
  file.domains[qemu] = {};
  add_domain(file, "train-01", mdev_element(free_mdev)).autostart = true;
  Machine host(file);
  ASSERT_TRUE(host.make("0000:05:00.0", "M60-2Q", free_mdev));
  ASSERT_TRUE(start(host.sim));
  const std::string remove = std::string("/sys/bus/mdev/devices/") + free_mdev + "/remove";
  EXPECT_FALSE(host.write(remove, "1")) << "the guest has it";
  ASSERT_TRUE(host.sim.host().domains.destroy(qemu, "train-01"));
  ASSERT_TRUE(start(host.sim));
  ASSERT_TRUE(host.sim.reboot());
  EXPECT_FALSE(host.sim.view().domains.domain(qemu, "train-01")->running);
  EXPECT_EQ(start(host.sim).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace gpuhost
