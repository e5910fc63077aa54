#include "host/sim/sim_gpus.hpp"

#include <algorithm>

#include "catalog/mig.hpp"
#include "gpu_hosts.hpp"
#include "host/gpu_reset.hpp"
#include "host/sim/recorder.hpp"
#include "support/mig_profiles.hpp"

namespace gpuhost {
namespace {

using namespace gpu_hosts;

const PciAddress gpu = address("0000:41:00.0");

HostFile mig_host() {
  auto host = a100();
  host.files[nvidia_smi] = HostFile::Text{"", 0755};
  return host;
}

/// Hopper: its firmware does not keep the mode.
HostFile h100_host() {
  auto host = mig_host();
  host.files[std::string(a100_directory) + "/device"] = line("0x2331");
  return host;
}

struct MigMachine : Machine {
  explicit MigMachine(const HostFile& file = mig_host()) : Machine(file) {}

  GpuReport report() {
    const auto reports = sim.view().gpus.gpus();
    EXPECT_TRUE(reports && reports->contains(gpu));
    return reports && reports->contains(gpu) ? reports->at(gpu) : GpuReport{};
  }
  GpuSwitch mode() { return report().mig->mode; }
  std::vector<GpuInstance> instances() { return *report().mig->instances; }
  void partition() { EXPECT_EQ(*writer().set_mig_mode(gpu, true), (GpuSwitch{true, true})); }
  GpuWriter& writer() { return sim.host().gpus; }
  ErrorKind refused(Result<void> done) {
    EXPECT_FALSE(done);
    return done ? ErrorKind::io : done.error().kind;
  }
};

TEST(SimGpus, AreThoseThatNvidiasDriverHas) {
  MigMachine host;
  const auto report = host.report();
  EXPECT_EQ(report.uuid, "GPU-11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(report.product, "NVIDIA A100 PCIe 40GB") << "as the catalogue has it";
  EXPECT_TRUE(report.ecc.is_absent());
  ASSERT_TRUE(report.mig);
  EXPECT_TRUE(report.mig->instances.is_absent()) << "the mode is off";

  host.to_vfio("0000:41:00.0");
  EXPECT_TRUE(host.sim.view().gpus.gpus()->empty());
  EXPECT_EQ(host.writer().set_mig_mode(gpu, true).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(host.sim.host().modules.unload("nvidia"));
  EXPECT_EQ(host.sim.view().gpus.gpus().error().kind, ErrorKind::unavailable);
}

TEST(SimGpus, ProfilesAreTheCataloguesUnlessTheHostFileHasSome) {
  auto file = a100();
  auto profiles = *MigMachine(file).report().mig->profiles;
  for (auto& profile : profiles) profile.memory_mb = 0;
  EXPECT_EQ(profiles, testing::a100_profiles());
  EXPECT_EQ(MigMachine(file).sim.file().machine.gpus.at(gpu).mig_profiles, std::nullopt);
  file.machine.gpus[gpu].mig_profiles = {testing::mig_profile(9, "3g.20gb", 3, 2, 4, {0, 4})};
  EXPECT_EQ(MigMachine(file).report().mig->profiles->size(), 1U);
}

TEST(SimGpus, AnEmptyGpuTakesAsManyOfAProfileAsTheCatalogueSays) {
  unsigned checked = 0;
  for (const auto& known : catalog::mig_gpus()) {
    const auto hardware = mig_hardware_of(known.device_id.value_or(0));
    for (const auto& profile : hardware.profiles) {
      MigState empty;
      const auto room = MigModel(hardware, empty, [](int) { return false; }).room(profile.id);
      EXPECT_EQ(*room, profile.most) << known.family << " " << profile.name;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100U);
}

TEST(SimGpus, CannotBePartitionedWithoutProfiles) {
  auto file = mig_host();
  file.machine.gpus[gpu].mig_profiles.emplace();
  MigMachine host(file);
  EXPECT_TRUE(host.report().mig.is_absent());
  EXPECT_EQ(host.writer().set_mig_mode(gpu, true).error().kind, ErrorKind::unsupported);
}

TEST(SimGpus, LayoutsAreMadeAndTakenDown) {
  MigMachine host;
  EXPECT_EQ(host.writer().create_gpu_instance(gpu, 9, {0, 4}).error().kind, ErrorKind::unsupported)
      << "the mode is off";
  host.partition();
  const auto half = host.writer().create_gpu_instance(gpu, 9, {4, 4});
  ASSERT_TRUE(half);
  EXPECT_EQ(half->id, 2U);
  EXPECT_EQ(host.writer().create_gpu_instance(gpu, 9, {4, 4}).error().kind, ErrorKind::busy);
  EXPECT_EQ(host.writer().create_gpu_instance(gpu, 9, {2, 4}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(host.writer().create_compute_instance(gpu, 2, 3)->placement, (MigPlacement{0, 3}));
  EXPECT_EQ(host.writer().create_compute_instance(gpu, 2, 1).error().kind, ErrorKind::busy);
  ASSERT_EQ(host.instances().size(), 1U);
  EXPECT_EQ(host.instances()[0].compute_instances.size(), 1U);
  EXPECT_TRUE(host.writer().destroy_compute_instance(gpu, 2, 0));
  EXPECT_TRUE(host.writer().create_compute_instance(gpu, 2, 1));
  EXPECT_TRUE(host.writer().destroy_gpu_instance(gpu, 2)) << "with its compute instances";
  EXPECT_TRUE(host.instances().empty());
  EXPECT_EQ(host.refused(host.writer().destroy_gpu_instance(gpu, 2)), ErrorKind::not_found);
}

TEST(SimGpus, AnInstanceThatIsUsedStays) {
  auto file = mig_host();
  file.units["compute.service"].state = {"loaded", "active", "running", "enabled"};
  file.processes[4711] = {
      .name = "python3", .cgroup = "/system.slice/compute.service", .opens = {"/dev/nvidia0"}};
  MigMachine host(file);
  // As if that process computed on it: what a CUDA program would do is nothing that the simulator does.
  auto used = host.sim.file();
  used.machine.gpus[gpu].mig = {
      .mode = {true, true}, .instances = {{.id = 1, .profile = 9, .placement = {0, 4}, .processes = {4711}}}};
  SimHost sim(used);
  EXPECT_EQ(sim.host().gpus.destroy_gpu_instance(gpu, 1).error().kind, ErrorKind::busy);
  EXPECT_TRUE(sim.view().gpus.gpus()->at(gpu).mig->instances->front().busy());
  EXPECT_TRUE(sim.host().units.stop("compute.service", std::chrono::seconds(10)));
  EXPECT_FALSE(sim.view().gpus.gpus()->at(gpu).mig->instances->front().busy());
  EXPECT_TRUE(sim.host().gpus.destroy_gpu_instance(gpu, 1));
}

TEST(SimGpus, AModeStaysPendingWhileSomebodyHoldsTheGpu) {
  auto file = mig_host();
  file.units["dcgm.service"].state = {"loaded", "active", "running", "enabled"};
  file.processes[812] = {
      .name = "nv-hostengine", .cgroup = "/system.slice/dcgm.service", .opens = {"/dev/nvidia0"}};
  MigMachine host(file);
  EXPECT_EQ(*host.writer().set_mig_mode(gpu, true), (GpuSwitch{false, true}));
  auto whole = host.sim.host();
  EXPECT_EQ(host.refused(reset_gpu(gpu, whole)), ErrorKind::busy);
  EXPECT_EQ(host.mode(), (GpuSwitch{false, true}));
  EXPECT_TRUE(whole.units.stop("dcgm.service", std::chrono::seconds(10)));
  EXPECT_TRUE(reset_gpu(gpu, whole));
  EXPECT_EQ(host.mode(), (GpuSwitch{true, true}));
}

TEST(SimGpus, AModeIsKeptOverABootOnAmpereOnlyAndInstancesNowhere) {
  for (const bool ampere : {true, false}) {
    MigMachine host(ampere ? mig_host() : h100_host());
    host.partition();
    EXPECT_TRUE(host.writer().create_gpu_instance(gpu, 19, {3, 1}));
    EXPECT_TRUE(host.sim.reboot());
    EXPECT_EQ(host.mode(), (GpuSwitch{ampere, ampere}));
    EXPECT_TRUE(host.sim.file().machine.gpus.at(gpu).mig.instances.empty());
    host.partition();
    EXPECT_TRUE(host.writer().create_gpu_instance(gpu, 19, {3, 1}));
    auto whole = host.sim.host();
    EXPECT_TRUE(reset_gpu(gpu, whole));
    EXPECT_EQ(host.mode(), (GpuSwitch{ampere, ampere}));
  }
}

TEST(SimGpus, TakingTheGpuFromItsDriverLosesInstances) {
  MigMachine host;
  host.partition();
  EXPECT_TRUE(host.writer().create_gpu_instance(gpu, 19, {3, 1}));
  host.sriov_manage("-e", "0000:41:00.0");
  EXPECT_TRUE(host.instances().empty()) << "so functions come before instances";
  EXPECT_TRUE(host.writer().create_gpu_instance(gpu, 19, {3, 1}));
  EXPECT_EQ(*host.writer().set_mig_mode(gpu, false), (GpuSwitch{true, false})) << "its functions hold it";
  EXPECT_EQ(host.instances().size(), 1U);
  host.sriov_manage("-d", "0000:41:00.0");
  EXPECT_TRUE(host.instances().empty());
}

TEST(SimGpus, AResetBringsEccIntoEffect) {
  auto file = mig_host();
  file.machine.gpus[gpu].ecc = GpuSwitch{true, false};
  HostFile running = Machine(file).sim.file();
  running.machine.gpus[gpu].ecc = GpuSwitch{true, false};
  SimHost sim(running);
  auto whole = sim.host();
  EXPECT_TRUE(reset_gpu(gpu, whole));
  EXPECT_EQ(*sim.view().gpus.gpus()->at(gpu).ecc, (GpuSwitch{false, false}));
}

TEST(SimGpus, EveryCallIsWrittenDownAndCanFail) {
  MigMachine host;
  host.sim.inject("gpus.set_mig_mode 0000:41:00.0", 1, {ErrorKind::denied, "only root may"});
  EXPECT_EQ(host.writer().set_mig_mode(gpu, true).error().kind, ErrorKind::denied);
  static_cast<void>(host.report());
  const auto accesses = host.sim.accesses();
  const auto is = [](const char* call, bool write) {
    return [=](const auto& access) { return access.call == call && access.write == write; };
  };
  EXPECT_TRUE(std::ranges::any_of(accesses, is("gpus.set_mig_mode", true)));
  EXPECT_TRUE(std::ranges::any_of(accesses, is("gpus.gpus", false)));
}

TEST(SimGpus, ARecordedHostTellsTheSame) {
  auto file = mig_host();
  file.machine.gpus[gpu].serial = "1563221011234";
  file.machine.gpus[gpu].ecc = GpuSwitch{true, true};
  MigMachine host(file);
  host.partition();
  EXPECT_TRUE(host.writer().create_gpu_instance(gpu, 9, {0, 4}));
  EXPECT_TRUE(host.writer().create_compute_instance(gpu, 1, 2));
  const auto recorded = record_host(host.sim.view(), [](const HostView& view) {
    // What planning reads of a GPU beside its driver's report.
    static_cast<void>(view.files.read("/proc/driver/nvidia/gpus/0000:41:00.0/information"));
    static_cast<void>(view.files.link_target("/sys/bus/pci/devices/0000:41:00.0/driver"));
    static_cast<void>(view.files.read("/sys/bus/pci/devices/0000:41:00.0/device"));
    static_cast<void>(view.files.list("/sys/bus/pci/drivers/nvidia"));
  });
  EXPECT_EQ(*SimHost(recorded).view().gpus.gpus(), *host.sim.view().gpus.gpus());
}

TEST(SimGpus, ARecordedHostDoesNotTellWhatNobodyTold) {
  MigMachine host;
  const Error reason{ErrorKind::unavailable, "libnvidia-ml.so.1 is not there"};
  host.sim.inject("gpus.gpus", 1, reason);
  const auto recorded = record_host(host.sim.view(), [](const HostView& view) {
    static_cast<void>(view.files.link_target("/sys/bus/pci/devices/0000:41:00.0/driver"));
    static_cast<void>(view.files.list("/sys/bus/pci/drivers/nvidia"));
  });
  EXPECT_EQ(recorded.machine.gpus_unknown, reason);
  EXPECT_EQ(SimHost(recorded).view().gpus.gpus().error(), reason);
}

}  // namespace
}  // namespace gpuhost
