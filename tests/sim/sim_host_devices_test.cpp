#include <gtest/gtest.h>

#include "guest_host.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

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

class StartRefused : public testing::TestWithParam<Refusal> {};

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

}  // namespace
}  // namespace gpuhost
