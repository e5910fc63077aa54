#include "inventory/inventory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;

const std::string gpu_address = "0000:41:00.0";
const std::string gpu_uuid = "GPU-11111111-2222-3333-4444-555555555555";
const std::string vgpu_uuid = "aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee";

PciAddress at(const std::string& text) {
  return *PciAddress::parse(text);
}

FakeHost host_with_gpu() {
  FakeHost host;
  put_function(host, {.address = gpu_address});
  return host;
}

Inventory read(const FakeHost& host) {
  return **inventory_of(host.view());
}

TEST(Inventory, ReadsWhatSysfsSaysOfAGpu) {
  auto host = host_with_gpu();
  put_driver_information(host, gpu_address, gpu_uuid, 3);
  host.files[pci_devices + gpu_address + "/drm/card1/dev"] = "226:1\n";
  host.files[pci_devices + gpu_address + "/drm/renderD129/dev"] = "226:129\n";
  host.files["/sys/bus/pci/slots/4-1/address"] = "0000:41:00\n";
  const auto inventory = read(host);
  ASSERT_EQ(inventory.gpus.size(), 1U);
  const auto& gpu = inventory.gpus[0];
  EXPECT_EQ(gpu.pci_id(), "10de:20f1/10de:145f");
  EXPECT_EQ(gpu.class_code, 0x030200U);
  EXPECT_EQ(gpu.driver, "nvidia");
  EXPECT_EQ(gpu.driver_override, "");
  EXPECT_EQ(gpu.iommu_group, 10U);
  EXPECT_EQ(gpu.uuid, gpu_uuid);
  EXPECT_EQ(gpu.device_minor, 3U);
  EXPECT_EQ(gpu.slot, "4-1");
  EXPECT_THAT(gpu.drm_nodes, ElementsAre("card1", "renderD129"));
  EXPECT_TRUE(gpu.total_functions.is_absent());
  EXPECT_EQ(inventory.find(at(gpu_address)), &inventory.gpus[0]);
}

TEST(Inventory, WhatCannotBeReadIsNotTakenForAbsent) {
  const Error broken{ErrorKind::io, "input/output error"};
  for (const char* file :
       {"driver", "driver_override", "iommu_group", "sriov_totalvfs", "sriov_numvfs", "virtfn0", "drm"}) {
    auto host = host_with_gpu();
    put_virtual_functions(host, gpu_address, {"0000:41:00.4"}, 20);
    host.errors.emplace(pci_devices + gpu_address + "/" + file, broken);
    const auto inventory = read(host);
    ASSERT_TRUE(inventory.gpus.at(0).unreadable) << file;
    EXPECT_EQ(inventory.gpus[0].unreadable->message, broken.message);
  }
  for (const char* file : {"vendor", "class", "device", "subsystem_vendor", "subsystem_device", "physfn"}) {
    auto host = host_with_gpu();
    host.errors.emplace(pci_devices + gpu_address + "/" + file, broken);
    const auto seen = inventory_of(host.view());
    ASSERT_FALSE(*seen) << file;
    EXPECT_EQ(seen->error().kind, ErrorKind::io);
  }
}

TEST(Inventory, LeavesOutOtherVendorsOtherClassesAndVirtualFunctions) {
  auto host = host_with_gpu();
  put_function(host, {.address = "0000:00:02.0", .vendor = "0x8086", .pci_class = "0x030000"});
  put_function(host, {.address = "0000:42:00.0", .pci_class = "0x068000"});  // NVSwitch
  put_virtual_functions(host, gpu_address, {"0000:41:00.4"}, 20);
  EXPECT_EQ(read(host).gpus.size(), 1U);
}

TEST(Inventory, NoPciBusIsNotFound) {
  const FakeHost host;
  const auto inventory = inventory_of(host.view());
  ASSERT_FALSE(inventory->has_value());
  EXPECT_EQ(inventory->error().kind, ErrorKind::not_found);
}

TEST(Inventory, AnAbsentBootVgaIsNotNo) {
  auto host = host_with_gpu();
  EXPECT_TRUE(read(host).gpus[0].boot_display.is_absent());
  host.files[pci_devices + gpu_address + "/boot_vga"] = "1\n";
  EXPECT_TRUE(*read(host).gpus[0].boot_display);
  host.files[pci_devices + gpu_address + "/boot_display"] = "0\n";  // the newer attribute is the wider one
  EXPECT_FALSE(*read(host).gpus[0].boot_display);
  host.errors[pci_devices + gpu_address + "/boot_display"] = {ErrorKind::denied, "no permission"};
  EXPECT_EQ(read(host).gpus[0].boot_display.reason(), "no permission");
}

TEST(Inventory, CompanionsShareTheSlotAndVirtualFunctionsAreNone) {
  auto host = host_with_gpu();
  put_function(host, {.address = "0000:41:00.1", .pci_class = "0x040300", .driver = "snd_hda_intel"});
  put_function(host, {.address = "0000:42:00.1", .pci_class = "0x040300"});
  put_virtual_functions(host, gpu_address, {"0000:41:00.4", "0000:41:00.5"}, 20);
  const auto inventory = read(host);
  const auto& gpu = inventory.gpus[0];
  ASSERT_EQ(gpu.companions.size(), 1U);
  EXPECT_EQ(gpu.companions[0].driver, "snd_hda_intel");
  EXPECT_EQ(gpu.total_functions, Observed<unsigned>(2U));
  ASSERT_EQ(gpu.functions.size(), 2U);
  EXPECT_EQ(gpu.functions[1].index, 1U);
  EXPECT_EQ(gpu.functions[1].address, at("0000:41:00.5"));
  EXPECT_EQ(gpu.functions[1].iommu_group, 21U);
  for (const auto* mine : {"0000:41:00.0", "0000:41:00.1", "0000:41:00.5"})
    EXPECT_EQ(inventory.owner_of(at(mine)), &inventory.gpus[0]) << mine;
  EXPECT_EQ(inventory.owner_of(at("0000:42:00.1")), nullptr);
}

TEST(Inventory, NeighboursAreThoseOfTheGroupThatAreNeitherItsOwnNorBridges) {
  auto host = host_with_gpu();
  put_function(host, {.address = "0000:41:00.1", .pci_class = "0x040300"});
  put_function(host, {.address = "0000:40:01.0", .vendor = "0x8086", .pci_class = "0x060400"});
  put_function(host,
               {.address = "0000:43:00.0", .vendor = "0x8086", .pci_class = "0x020000", .driver = "igb"});
  const auto inventory = read(host);
  ASSERT_EQ(inventory.gpus[0].group_neighbours.size(), 1U);
  EXPECT_EQ(inventory.gpus[0].group_neighbours[0].driver, "igb");
}

TEST(Inventory, MediatedDevicesBelongToTheGpuOfTheirParent) {
  auto host = host_with_gpu();
  put_virtual_functions(host, gpu_address, {"0000:41:00.4"}, 20);
  put_mediated_device(host, vgpu_uuid, "0000:41:00.4", "nvidia-468", "GRID A100-4C", 44);
  put_mediated_device(host, "00000000-0000-4000-8000-000000000000", "0000:00:02.0", "i915-GVTg_V5_4", "", 45);
  const auto inventory = read(host);
  ASSERT_EQ(inventory.gpus[0].mediated_devices.size(), 1U);
  const auto* vgpu = inventory.find(*Uuid::parse(vgpu_uuid));
  ASSERT_NE(vgpu, nullptr);
  EXPECT_EQ(vgpu->parent, at("0000:41:00.4"));
  EXPECT_EQ(vgpu->type_id, "nvidia-468");
  EXPECT_EQ(vgpu->type, "GRID A100-4C");
  EXPECT_EQ(vgpu->iommu_group, 44U);
  EXPECT_EQ(inventory.owner_of(vgpu->uuid), &inventory.gpus[0]);
}

TEST(Inventory, AGpuWithoutNvidiasDriverIsKnownByTheRecord) {
  auto host = host_with_gpu();
  host.files["/var/lib/gpuhost/identity.json"] =
      R"({"format_version": 1, "gpus": [{"address": "0000:41:00.0", "pci_id": "10de:20f1/10de:145f",)"
      R"( "uuid": ")" +
      gpu_uuid + R"(", "serial": "1320000"}]})";
  EXPECT_EQ(read(host).gpus[0].uuid, gpu_uuid);
  EXPECT_EQ(read(host).gpus[0].serial, "1320000");
  host.files[pci_devices + gpu_address + "/device"] = "0x2235\n";  // another board in the slot
  EXPECT_EQ(read(host).gpus[0].uuid, std::nullopt);
}

TEST(Inventory, WhatTheDriverSaysGoesBeforeTheRecord) {
  auto host = host_with_gpu();
  host.files["/var/lib/gpuhost/identity.json"] =
      R"({"format_version": 1, "gpus": [{"address": "0000:41:00.0", "pci_id": "10de:20f1/10de:145f",)"
      R"( "uuid": "GPU-00000000-0000-0000-0000-000000000000", "serial": "1320000"}]})";
  put_driver_information(host, gpu_address, gpu_uuid, 0);
  EXPECT_EQ(read(host).gpus[0].uuid, gpu_uuid);
  EXPECT_EQ(read(host).gpus[0].serial, std::nullopt);     // that of the other board
  put_driver_information(host, gpu_address, "GPU-?", 0);  // until somebody has opened it
  EXPECT_NE(read(host).gpus[0].uuid, "GPU-?");
}

TEST(Inventory, IsReadOnceInALook) {
  const auto host = host_with_gpu();
  RoundMemo memo;
  auto view = host.view();
  view.memo = &memo;
  EXPECT_EQ(inventory_of(view), inventory_of(view));
  EXPECT_NE(inventory_of(host.view()), inventory_of(host.view()));
}

}  // namespace
}  // namespace gpuhost::testing
