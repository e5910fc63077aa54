#include "gpu_hosts.hpp"

namespace gpuhost {
namespace {

using namespace gpu_hosts;
using namespace std::chrono_literals;

constexpr const char* gpu = "0000:41:00.0";
constexpr const char* first = "0000:41:00.4";
constexpr const char* fifth = "0000:41:01.0";  // functions have three bits
constexpr const char* last = "0000:41:02.3";
const std::string a = "aaaaaaaa-0000-4000-8000-000000000001";
const std::string b = "aaaaaaaa-0000-4000-8000-000000000002";

TEST(SimFunctions, AreMadeAllAtOnceEachWithItsDriverAndGroup) {
  Machine host(a100());
  EXPECT_EQ(host.sriov_manage("-e", gpu).exit_code, 0);
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/sriov_numvfs"), "16");
  EXPECT_EQ(host.link(Machine::pci(gpu) + "/virtfn0"), first);
  EXPECT_EQ(host.link(Machine::pci(gpu) + "/virtfn4"), fifth);
  EXPECT_EQ(host.link(Machine::pci(gpu) + "/virtfn15"), last);
  EXPECT_FALSE(host.exists(Machine::pci(gpu) + "/virtfn16"));
  EXPECT_EQ(host.sim.view().files.link_target(Machine::pci(first)),
            "../../../devices/pci0000:40/0000:40:01.1/0000:41:00.4");
  for (const char* function : {first, fifth, last}) {
    EXPECT_EQ(host.driver(function), "nvidia");
    EXPECT_EQ(host.link(Machine::pci(function) + "/physfn"), gpu);
    EXPECT_EQ(host.read(Machine::pci(function) + "/vendor"), "0x10de");
    EXPECT_EQ(host.read(Machine::pci(function) + "/device"), "0x20f1");
    EXPECT_EQ(host.read(Machine::pci(function) + "/class"), "0x030200");
    EXPECT_FALSE(host.exists("/proc/driver/nvidia/gpus/" + std::string(function)));
  }
  EXPECT_EQ(host.count("/sys/kernel/iommu_groups"), 17U);
}

TEST(SimFunctions, HaveRoomForOneMediatedDeviceEach) {
  Machine host(a100());
  EXPECT_FALSE(host.exists(Machine::pci(gpu) + "/mdev_supported_types")) << "not on the GPU itself";
  ASSERT_EQ(host.sriov_manage("-e", gpu).exit_code, 0);
  EXPECT_FALSE(host.exists(Machine::pci(gpu) + "/mdev_supported_types"));
  EXPECT_EQ(host.available(first, "A100-20C"), "1");
  EXPECT_EQ(host.available(first, "A100-40C"), "1");
  EXPECT_EQ(host.available(first, "A100-3-20C"), "0") << "MIG is off";
  ASSERT_TRUE(host.make(first, "A100-20C", a));
  EXPECT_EQ(host.available(first, "A100-20C"), "0") << "one for each function";
  EXPECT_EQ(host.available(fifth, "A100-20C"), "1");
  EXPECT_EQ(host.available(fifth, "A100-40C"), "0") << "another size";
  ASSERT_TRUE(host.make(fifth, "A100-20C", b));
  EXPECT_EQ(host.available(last, "A100-20C"), "0") << "two fill the GPU";
  EXPECT_FALSE(host.make(last, "A100-20C", "aaaaaaaa-0000-4000-8000-000000000003"));
  ASSERT_TRUE(host.write("/sys/bus/mdev/devices/" + a + "/remove", "1"));
  EXPECT_EQ(host.available(last, "A100-20C"), "1");
}

TEST(SimFunctions, GoWithAllThatIsOnThem) {
  Machine host(a100());
  ASSERT_EQ(host.sriov_manage("-e", gpu).exit_code, 0);
  ASSERT_TRUE(host.make(first, "A100-4C", a));
  EXPECT_EQ(host.sriov_manage("-d", gpu).exit_code, 0);
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/sriov_numvfs"), "0");
  EXPECT_FALSE(host.exists(Machine::pci(first)));
  EXPECT_FALSE(host.exists(Machine::pci(gpu) + "/virtfn0"));
  EXPECT_FALSE(host.exists("/sys/bus/mdev/devices/" + a));
  EXPECT_FALSE(host.exists("/sys/bus/pci/drivers/nvidia/0000:41:00.4"));
  EXPECT_EQ(host.count("/sys/class/mdev_bus"), 0U);
  EXPECT_EQ(host.count("/sys/kernel/iommu_groups"), 1U);
  EXPECT_EQ(host.driver(gpu), "nvidia");
}

TEST(SimFunctions, LeaveTheHostAsItWas) {
  Machine host(a100());
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.make(first, "A100-4C", a));
  host.sriov_manage("-d", gpu);
  const auto before = host.sim.file();
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.make(first, "A100-4C", a));
  host.sriov_manage("-d", gpu);
  EXPECT_EQ(host.sim.file(), before);
}

TEST(SimFunctions, VanishAtRebootAndWithTheDriver) {
  Machine host(a100());
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.sim.reboot());
  EXPECT_FALSE(host.exists(Machine::pci(first)));
  EXPECT_EQ(host.count("/sys/kernel/iommu_groups"), 1U);
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.write(Machine::pci(gpu) + "/driver/unbind", gpu));
  EXPECT_FALSE(host.exists(Machine::pci(first)));
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/sriov_numvfs"), "0");
}

TEST(SimFunctions, AreNotMadeByHand) {
  Machine host(a100());
  EXPECT_EQ(host.refusal(Machine::pci(gpu) + "/sriov_numvfs", "16").kind, ErrorKind::not_found) << "ENOENT";
  host.sriov_manage("-e", gpu);
  EXPECT_FALSE(host.write(Machine::pci(gpu) + "/sriov_numvfs", "0"));
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/sriov_numvfs"), "16");
}

TEST(SimFunctions, TheToolNeedsItsFileAndItsArguments) {
  auto file = a100();
  file.files.erase("/usr/lib/nvidia/sriov-manage");
  Machine without(file);
  const auto run = without.sim.host().commands.run({.argv = {"/usr/lib/nvidia/sriov-manage", "-e", gpu}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::not_found);
  Machine host(a100());
  EXPECT_EQ(host.sriov_manage("-x", gpu).exit_code, 1);
  EXPECT_EQ(host.sriov_manage("-e", "left").exit_code, 1);
  EXPECT_EQ(host.sriov_manage("-e", "0000:99:00.0").exit_code, 1);
  EXPECT_EQ(host.sriov_manage("-e", "ALL").exit_code, 0);
  EXPECT_EQ(host.link(Machine::pci(gpu) + "/virtfn0"), first);
  EXPECT_EQ(host.sriov_manage("-e", gpu).exit_code, 0) << "again";
  EXPECT_EQ(host.sriov_manage("-d", "ALL").exit_code, 0);
  EXPECT_FALSE(host.exists(Machine::pci(first)));
}

TEST(SimFunctions, TheToolNeedsNvidiasDriver) {
  Machine host(a100());
  host.to_vfio(gpu);
  EXPECT_EQ(host.sriov_manage("-e", gpu).exit_code, 1);
  EXPECT_FALSE(host.exists(Machine::pci(gpu) + "/virtfn0"));
  Machine board_without(m60());
  EXPECT_EQ(board_without.sriov_manage("-e", "0000:05:00.0").exit_code, 1);
}

TEST(SimFunctions, TheToolFailsWhileAProcessHasTheGpu) {
  Machine host(a100());
  auto file = host.sim.file();
  file.units["nvidia-persistenced.service"].state = {"loaded", "active", "running", "enabled"};
  file.processes[4711] = {.name = "nvidia-persiste",
                          .cgroup = "/system.slice/nvidia-persistenced.service",
                          .opens = {"/dev/nvidia0"}};
  SimHost sim(file);
  const Command enable{.argv = {"/usr/lib/nvidia/sriov-manage", "-e", gpu}};
  auto run = sim.host().commands.run(enable);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->exit_code, 1);
  EXPECT_NE(run->output.find("Cannot obtain unbindLock"), std::string::npos) << run->output;
  EXPECT_FALSE(sim.view().files.exists(Machine::pci(first)).value());
  ASSERT_TRUE(sim.host().units.stop("nvidia-persistenced.service", 10s));
  run = sim.host().commands.run(enable);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->exit_code, 0) << run->output;
}

TEST(SimFunctions, DisablingWhatAGuestHasWouldNeverEnd) {
  Machine host(a100());
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.make(first, "A100-4C", a));
  auto file = host.sim.file();
  file.processes[9] = opens("/dev/vfio/" + host.link("/sys/bus/mdev/devices/" + a + "/iommu_group"));
  SimHost sim(file);
  const auto run = sim.host().commands.run({.argv = {"/usr/lib/nvidia/sriov-manage", "-d", gpu}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::timed_out);
  EXPECT_FALSE(sim.host().files.write_attribute(Machine::pci(gpu) + "/driver/unbind", gpu));
  EXPECT_FALSE(sim.host().modules.unload("nvidia"));
}

TEST(SimFunctions, TypesMayComeLateWithTheEventsOfAWait) {
  auto file = a100();
  file.machine.gpus.at(address(gpu)).types_after = 3;
  Machine host(file);
  EXPECT_EQ(host.sriov_manage("-e", gpu).exit_code, 0);
  EXPECT_EQ(host.driver(first), "nvidia");
  const std::string types = Machine::pci(first) + "/mdev_supported_types";
  const auto there = [&] { return host.exists(types); };
  EXPECT_FALSE(there());
  EXPECT_FALSE(host.sim.host().waiter.until(there, 2s)) << "not yet";
  EXPECT_TRUE(host.sim.host().waiter.until(there, 10s));
  EXPECT_EQ(host.available(last, "A100-4C"), "1");
}

TEST(SimFunctions, AFunctionMayNotComeUpThoughTheToolSaysSo) {
  auto file = a100();
  file.machine.gpus.at(address(gpu)).failing_function = 4;
  Machine host(file);
  EXPECT_EQ(host.sriov_manage("-e", gpu).exit_code, 0);
  EXPECT_EQ(host.driver(fifth), "");
  EXPECT_FALSE(host.exists(Machine::pci(fifth) + "/mdev_supported_types"));
  EXPECT_EQ(host.driver(first), "nvidia");
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", fifth));
  EXPECT_EQ(host.driver(fifth), "") << "its probe fails each time";
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/nvidia/bind", fifth).kind, ErrorKind::invalid);
}

TEST(SimFunctions, CarryTheAddressOverDeviceAndBus) {
  auto file = a100();
  file.machine.gpus.at(address(gpu)).first_function = address("0000:41:1f.6");
  Machine host(file);
  host.sriov_manage("-e", gpu);
  EXPECT_EQ(host.link(Machine::pci(gpu) + "/virtfn1"), "0000:41:1f.7");
  EXPECT_EQ(host.link(Machine::pci(gpu) + "/virtfn2"), "0000:42:00.0");
}

TEST(SimFunctions, HaveNoGroupWithoutIommu) {
  auto file = a100();
  file.machine.iommu = HostFile::Iommu::none;
  Machine host(file);
  host.sriov_manage("-e", gpu);
  EXPECT_EQ(host.driver(first), "nvidia");
  EXPECT_FALSE(host.exists(Machine::pci(first) + "/iommu_group"));
}

TEST(SimFunctions, OneCanBeGivenToVfioByItself) {
  Machine host(a100());
  host.sriov_manage("-e", gpu);
  host.to_vfio(first);
  EXPECT_EQ(host.driver(first), "vfio-pci");
  EXPECT_FALSE(host.exists(Machine::pci(first) + "/mdev_supported_types"));
  EXPECT_EQ(host.available(fifth, "A100-4C"), "1");
}

class VendorVfio : public testing::Test {
 protected:
  static std::string file_of(const std::string& function, const std::string& file) {
    return Machine::pci(function) + "/nvidia/" + file;
  }
  /// The number of a type in the list of a function; empty: not there.
  std::string id(const std::string& function, const std::string& name) {
    const std::string list = host.read(file_of(function, "creatable_vgpu_types"));
    for (const auto row : lines(list)) {
      if (row.ends_with(name)) return std::string(words(row)[0]);
    }
    return {};
  }
  Machine host{a100(HostFile::VgpuFramework::vendor_vfio)};
};

TEST_F(VendorVfio, FunctionsListTheTypesThatCanBeMade) {
  host.sriov_manage("-e", gpu);
  EXPECT_FALSE(host.exists(Machine::pci(first) + "/mdev_supported_types"));
  EXPECT_FALSE(host.exists("/sys/class/mdev_bus"));
  EXPECT_FALSE(host.exists(Machine::pci(gpu) + "/nvidia"));
  EXPECT_TRUE(host.read(file_of(first, "creatable_vgpu_types")).starts_with("ID    : vGPU Name\n"));
  EXPECT_EQ(id(first, "A100-4C"), "468");
  EXPECT_EQ(host.read(file_of(first, "current_vgpu_type")), "0");
}

TEST_F(VendorVfio, ATypeEndsOtherSizesAndIsGivenBackWithZero) {
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.write(file_of(first, "current_vgpu_type"), id(first, "A100-20C")));
  EXPECT_EQ(id(first, "A100-20C"), "") << "it has one";
  EXPECT_EQ(id(fifth, "A100-4C"), "");
  EXPECT_NE(id(fifth, "A100-20C"), "");
  EXPECT_EQ(host.refusal(file_of(fifth, "current_vgpu_type"), "468").kind, ErrorKind::invalid);
  EXPECT_EQ(host.refusal(file_of(fifth, "current_vgpu_type"), "x").kind, ErrorKind::invalid);
  EXPECT_EQ(host.refusal(file_of(first, "current_vgpu_type"), "472").kind, ErrorKind::busy);
  ASSERT_TRUE(host.write(file_of(first, "vgpu_params"), "frame_rate_limiter=0"));
  EXPECT_FALSE(host.write(file_of(fifth, "vgpu_params"), "frame_rate_limiter=0")) << "it has no type";
  EXPECT_FALSE(host.write(file_of(first, "creatable_vgpu_types"), "1"));
  ASSERT_TRUE(host.write(file_of(first, "current_vgpu_type"), "0"));
  EXPECT_NE(id(fifth, "A100-4C"), "");
}

/// The first half of an A100 as a 3g.20gb, with its functions.
void partition(Machine& host) {
  ASSERT_TRUE(host.sim.host().gpus.set_mig_mode(address(gpu), true));
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.sim.host().gpus.create_gpu_instance(address(gpu), 9, {0, 4}));
}

TEST_F(VendorVfio, WithMigATypeIsMadeOnAnInstanceOfItsOwn) {
  ASSERT_TRUE(host.sim.host().gpus.set_mig_mode(address(gpu), true));
  host.sriov_manage("-e", gpu);
  EXPECT_EQ(id(first, "A100-4C"), "") << "time-sliced types need MIG off";
  EXPECT_EQ(id(first, "A100-3-20C"), "") << "there is no instance";
  ASSERT_TRUE(host.sim.host().gpus.create_gpu_instance(address(gpu), 9, {0, 4}));
  EXPECT_EQ(id(first, "A100-3-20C"), "476");
  EXPECT_EQ(id(first, "A100-2-10C"), "");
  ASSERT_TRUE(host.write(file_of(first, "current_vgpu_type"), "476"));
  EXPECT_EQ(host.read(file_of(first, "gpu_instance_id")), "1");
  EXPECT_EQ(id(fifth, "A100-3-20C"), "") << "the instance has one";
  EXPECT_FALSE(host.write(file_of(first, "gpu_instance_id"), "2"));
  auto& gpus = host.sim.host().gpus;
  EXPECT_EQ(gpus.destroy_gpu_instance(address(gpu), 1).error().kind, ErrorKind::busy);
  EXPECT_EQ(gpus.create_compute_instance(address(gpu), 1, 3).error().kind, ErrorKind::busy);
  ASSERT_TRUE(host.write(file_of(first, "current_vgpu_type"), "0"));
  EXPECT_EQ(id(fifth, "A100-3-20C"), "476");
  EXPECT_TRUE(gpus.destroy_gpu_instance(address(gpu), 1));
  EXPECT_EQ(id(fifth, "A100-3-20C"), "");
}

TEST(MediatedOnMig, IsMadeOnAnInstanceOfItsOwn) {
  Machine host{a100()};
  partition(host);
  EXPECT_EQ(host.available(first, "A100-3-20C"), "1");
  EXPECT_EQ(host.available(first, "A100-4C"), "0");
  const std::string uuid = "5b2a8d1c-7f4e-4f35-9b0a-2f6f0f0f0f01";
  ASSERT_TRUE(host.make(first, "A100-3-20C", uuid));
  EXPECT_EQ(host.read("/sys/bus/mdev/devices/" + uuid + "/nvidia/gpu_instance_id"), "1");
  EXPECT_EQ(host.available(fifth, "A100-3-20C"), "0");
  EXPECT_EQ(host.sim.host().gpus.destroy_gpu_instance(address(gpu), 1).error().kind, ErrorKind::busy);
  ASSERT_TRUE(host.write("/sys/bus/mdev/devices/" + uuid + "/remove", "1"));
  EXPECT_TRUE(host.sim.host().gpus.destroy_gpu_instance(address(gpu), 1));
}

TEST(VendorVfioNumbers, AreThoseOfTheRecordedDriver) {
  auto file = a100(HostFile::VgpuFramework::vendor_vfio);
  file.machine.gpus.begin()->second.vgpu_types = {{1468, "GRID A100-4C"}};
  Machine host{file};
  host.sriov_manage("-e", gpu);
  EXPECT_TRUE(host.write(Machine::pci(first) + "/nvidia/current_vgpu_type", "1468"));
  EXPECT_EQ(host.sim.view().gpus.gpus()->begin()->second.vgpu_types->at(1468), "GRID A100-4C");
}

TEST_F(VendorVfio, ChangingTheTypeOfOneInUseWouldNeverEnd) {
  host.sriov_manage("-e", gpu);
  ASSERT_TRUE(host.write(file_of(first, "current_vgpu_type"), id(first, "A100-20C")));
  auto file = host.sim.file();
  file.processes[9] = opens("/dev/vfio/" + host.link(Machine::pci(first) + "/iommu_group"));
  SimHost sim(file);
  EXPECT_EQ(sim.host().files.write_attribute(file_of(first, "current_vgpu_type"), "0").error().kind,
            ErrorKind::timed_out);
  EXPECT_FALSE(sim.host().commands.run({.argv = {"/usr/lib/nvidia/sriov-manage", "-d", gpu}}));
}

TEST_F(VendorVfio, VfioPciDoesNotTakeAFunction) {
  host.sriov_manage("-e", gpu);
  host.to_vfio(first);
  EXPECT_EQ(host.driver(first), "");
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/vfio-pci/bind", first).kind, ErrorKind::invalid);
}

TEST(SimWaiter, AsksAgainEachSecondUntilTheLimit) {
  Machine host(base());
  const auto before = host.sim.view().clock.since_boot();
  unsigned asked = 0;
  EXPECT_FALSE(host.sim.host().waiter.until([&] { return ++asked > 100; }, 5s));
  EXPECT_EQ(asked, 6U);
  EXPECT_GE(host.sim.view().clock.since_boot() - before, 5s);
  EXPECT_TRUE(host.sim.host().waiter.until([&] { return true; }, 0s));
}

}  // namespace
}  // namespace gpuhost
