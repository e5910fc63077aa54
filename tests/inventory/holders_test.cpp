#include "inventory/holders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string gpu_address = "0000:41:00.0";
const std::string vgpu_uuid = "aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee";

/// A GPU (minor 0, group 10) with one virtual function (group 20) that carries a vGPU (group 44).
FakeHost host_with_vgpu() {
  FakeHost host;
  put_function(host, {.address = gpu_address});
  put_driver_information(host, gpu_address, "GPU-11111111-2222-3333-4444-555555555555", 0);
  host.files[pci_devices + gpu_address + "/drm/card1/dev"] = "226:1\n";
  put_virtual_functions(host, gpu_address, {"0000:41:00.4"}, 20);
  put_mediated_device(host, vgpu_uuid, "0000:41:00.4", "nvidia-468", "GRID A100-4C", 44);
  return host;
}

std::vector<Holder> holders_of_gpu(const FakeHost& host) {
  return usage_of(host.view())->of((**inventory_of(host.view())).gpus.at(0));
}

std::vector<std::string> names(const std::vector<Holder>& holders) {
  std::vector<std::string> all;
  for (const auto& holder : holders) all.push_back(holder.name);
  return all;
}

Domain running(const std::string& name, const std::string& host_device) {
  const auto xml =
      "<domain type='kvm'><name>" + name + "</name><devices>" + host_device + "</devices></domain>";
  return {.name = name, .persistent = true, .running = true, .definition = xml, .live = xml};
}

const std::string mdev_device =
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='" + vgpu_uuid +
    "'/></source></hostdev>";
const std::string pci_device =
    "<hostdev mode='subsystem' type='pci' managed='no'><source>"
    "<address domain='0x0000' bus='0x41' slot='0x00' function='0x0'/></source></hostdev>";

TEST(Holders, NobodyHoldsAGpuThatNobodyOpened) {
  const auto host = host_with_vgpu();
  EXPECT_THAT(holders_of_gpu(host), IsEmpty());
  EXPECT_FALSE(usage_of(host.view())->unknown());
}

TEST(Holders, AServiceIsToldByItsUnitAndOnce) {
  auto host = host_with_vgpu();
  const std::string cgroup = "/system.slice/system-ml.slice/ml@1.service";
  host.device_holders = {{10, "python3", cgroup, {"/dev/nvidia0", "/dev/nvidiactl"}},
                         {11, "python3", cgroup, {"/dev/nvidia0"}}};
  const auto holders = holders_of_gpu(host);
  ASSERT_THAT(names(holders), ElementsAre("ml@1.service"));
  EXPECT_EQ(holders[0].type, Holder::Type::unit);
  EXPECT_THAT(usage_of(host.view())->units(), ElementsAre("ml@1.service"));
}

TEST(Holders, AProcessOfASessionOrAContainerBelongsToNoUnit) {
  auto host = host_with_vgpu();
  host.device_holders = {
      {10, "python3", "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", {"/dev/nvidia0"}},
      {11, "python3", "/system.slice/docker-0123.scope", {"/dev/dri/card1"}}};
  const auto holders = holders_of_gpu(host);
  ASSERT_EQ(holders.size(), 2U);
  for (const auto& holder : holders) EXPECT_EQ(holder.type, Holder::Type::process);
  EXPECT_EQ(holders[1].pid, 11);
}

TEST(Holders, TheUnitOfAContainerIsNotThatOfTheHost) {
  auto host = host_with_vgpu();
  host.device_holders = {
      {10, "nvidia-persiste", "/system.slice/docker-01.scope/system.slice/x.service", {"/dev/nvidia0"}},
      {11, "python3", "/system.slice/containerd.service/kubepods-pod1", {"/dev/nvidia0"}}};
  EXPECT_EQ(holders_of_gpu(host).size(), 2U);
  for (const auto& holder : holders_of_gpu(host))
    EXPECT_EQ(holder.type, Holder::Type::process) << holder.name;
}

TEST(Holders, ANodeThatMayBeAnyGpuMakesUseUnknown) {
  auto host = host_with_vgpu();
  host.files.erase("/proc/driver/nvidia/gpus/" + gpu_address + "/information");
  EXPECT_FALSE(usage_of(host.view())->unknown());
  host.device_holders = {{10, "python3", "/", {"/dev/nvidia3"}}};
  ASSERT_TRUE(usage_of(host.view())->unknown());
  EXPECT_THAT(usage_of(host.view())->unknown()->message, ::testing::HasSubstr("/dev/nvidia3"));
}

TEST(Holders, DevicesOfIommufdAreFoundByTheirLink) {
  auto host = host_with_vgpu();
  host.device_holders = {{10, "virtiofsd", "/", {"/dev/vfio/devices/vfio7"}}};
  EXPECT_TRUE(usage_of(host.view())->unknown());
  host.links["/sys/class/vfio-dev/vfio7"] = "../../devices/pci0000:40/0000:41:00.4/vfio-dev/vfio7";
  EXPECT_FALSE(usage_of(host.view())->unknown());
  EXPECT_THAT(names(holders_of_gpu(host)), ElementsAre("virtiofsd"));
  host.links["/sys/class/vfio-dev/vfio7"] =
      "../../devices/pci0000:40/0000:41:00.4/" + vgpu_uuid + "/vfio-dev/vfio7";
  EXPECT_THAT(holders_of_gpu(host).at(0).devices, ElementsAre(*Uuid::parse(vgpu_uuid)));
}

TEST(Holders, TheManagersProcessGoesWithTheGuestItServes) {
  auto host = host_with_vgpu();
  const std::string cgroup = "/system.slice/nvidia-vgpu-mgr.service";
  host.device_holders = {{10, "nvidia-vgpu-mgr", cgroup, {"/dev/nvidia0"}}};
  EXPECT_THAT(names(holders_of_gpu(host)), ElementsAre("nvidia-vgpu-mgr.service"));
  host.guests = {{"train", running("train", mdev_device)}};
  EXPECT_THAT(names(holders_of_gpu(host)), ElementsAre("train"));
}

TEST(Holders, TheControlNodeAloneHoldsNoGpu) {
  auto host = host_with_vgpu();
  host.device_holders = {{10, "nvidia-vgpu-mgr", "/system.slice/nvidia-vgpu-mgr.service", {"/dev/nvidiactl"}},
                         {11, "x", "/", {"/dev/nvidia1", "/dev/vfio/99"}}};
  EXPECT_THAT(holders_of_gpu(host), IsEmpty());
}

TEST(Holders, AGuestAndItsProcessAreOneHolder) {
  auto host = host_with_vgpu();
  host.guests = {{"train", running("train", mdev_device)}};
  host.device_holders = {
      {77, "qemu-system-x86", "/machine.slice/machine-qemu\\x2d1\\x2dtrain.scope", {"/dev/vfio/44"}}};
  const auto holders = holders_of_gpu(host);
  ASSERT_THAT(names(holders), ElementsAre("train"));
  EXPECT_EQ(holders[0].type, Holder::Type::vm);
  EXPECT_EQ(holders[0].pid, 77);
  EXPECT_THAT(holders[0].devices, ElementsAre(*Uuid::parse(vgpu_uuid)));
}

TEST(Holders, TheGpuItselfAndTheVgpuOnItAreHeldApart) {
  auto host = host_with_vgpu();
  host.guests = {{"whole", running("whole", pci_device)}};
  const auto inventory = inventory_of(host.view());
  const auto usage = usage_of(host.view());
  EXPECT_THAT(usage->of((**inventory).gpus[0].mediated_devices[0]), IsEmpty());
  EXPECT_THAT(usage->of((**inventory).gpus[0].functions[0]), IsEmpty());
  EXPECT_THAT(names(usage->of((**inventory).gpus[0])), ElementsAre("whole"));
}

TEST(Holders, AGuestThatIsOffHoldsNothing) {
  auto host = host_with_vgpu();
  host.guests = {{"train", running("train", mdev_device)}};
  host.guests->at("train").running = false;
  host.guests->at("train").live.clear();
  EXPECT_THAT(holders_of_gpu(host), IsEmpty());
}

TEST(Holders, GuestsOfOthersAreProcessesWithARemark) {
  auto host = host_with_vgpu();
  host.device_holders = {
      {70, "kvm", "/qemu.slice/101.scope", {"/dev/vfio/20"}},
      {71, "qemu-kvm", "/kubepods.slice/kubepods-burstable.slice/x.scope", {"/dev/vfio/44"}},
      {72, "qemu-system-x86", "/system.slice/libvirtd.service", {"/dev/vfio/10"}}};
  const auto holders = holders_of_gpu(host);
  ASSERT_EQ(holders.size(), 3U);
  EXPECT_EQ(holders[0].remark, "guest 101 of Proxmox VE");
  EXPECT_EQ(holders[1].remark, "a pod of Kubernetes");
  // Stopping libvirtd does not end its guests.
  for (const auto& holder : holders) EXPECT_EQ(holder.type, Holder::Type::process);
}

TEST(Holders, WithoutPermissionItIsUnknownAndGuestsAreKnownAllTheSame) {
  auto host = host_with_vgpu();
  host.guests = {{"train", running("train", mdev_device)}};
  host.processes_error = Error{ErrorKind::denied, "only root can tell"};
  EXPECT_EQ(usage_of(host.view())->unknown()->kind, ErrorKind::denied);
  EXPECT_THAT(names(holders_of_gpu(host)), ElementsAre("train"));
}

TEST(Holders, NothingIsAskedOnAHostWithoutGpus) {
  FakeHost host;
  host.directories.insert("/sys/bus/pci/devices");
  host.processes_error = Error{ErrorKind::denied, "asked all the same"};
  EXPECT_FALSE(usage_of(host.view())->unknown());
}

TEST(Holders, DomainsAreAskedForOnceInALook) {
  FakeHost host;
  host.guests.emplace();
  RoundMemo memo;
  auto view = host.view();
  view.memo = &memo;
  EXPECT_EQ(domains_of(view, system_connection), domains_of(view, system_connection));
  EXPECT_NE(domains_of(view, system_connection), domains_of(view, "test:///default"));
}

}  // namespace
}  // namespace gpuhost::testing
