#include "gpu_hosts.hpp"
#include "host/sim/recorder.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {
namespace {

using namespace gpu_hosts;
using Framework = HostFile::VgpuFramework;

/// As planning looks: the inventory, and the names of vGPU types.
void look(const HostView& view) {
  const auto inventory = inventory_of(view);
  if (!*inventory) return;
  static_cast<void>(view.files.exists("/usr/lib/nvidia/sriov-manage"));
  for (const auto& gpu : (*inventory)->gpus) {
    std::vector<PciAddress> parents{gpu.address};
    for (const auto& function : gpu.functions) parents.push_back(function.address);
    for (const auto& parent : parents) {
      const std::string types = Machine::pci(parent.to_string()) + "/mdev_supported_types";
      for (const auto& id : view.files.list(types).value_or(std::vector<std::string>{})) {
        static_cast<void>(view.files.read(fmt::format("{}/{}/name", types, id)));
      }
    }
  }
}

HostFile record(const SimHost& sim) {
  return record_host(sim.view(), look);
}

const HostFile::Gpu& gpu_in(const HostFile& host, const std::string& device) {
  return host.machine.gpus.at(address(device));
}

TEST(RecordedGpus, AreWhatTheHostShows) {
  Machine host(a100());
  host.sriov_manage("-e", "0000:41:00.0");
  const auto recorded = record(host.sim);
  ASSERT_EQ(recorded.machine.gpus.size(), 1U) << "virtual functions are none";
  EXPECT_EQ(gpu_in(recorded, "0000:41:00.0"), gpu_in(a100(), "0000:41:00.0"));
  EXPECT_TRUE(recorded.machine.functions.empty());
}

TEST(RecordedGpus, KnowTheFrameworkFromFunctionsElseFromTheKernel) {
  {
    Machine host(a100(Framework::vendor_vfio));
    host.sriov_manage("-e", "0000:41:00.0");
    EXPECT_EQ(gpu_in(record(host.sim), "0000:41:00.0").framework, Framework::vendor_vfio);
  }
  auto file = a100();
  file.files["/proc/sys/kernel/osrelease"] = line("6.1.0-18-amd64");
  EXPECT_EQ(gpu_in(record(Machine(file).sim), "0000:41:00.0").framework, Framework::mdev);
  file.files["/proc/sys/kernel/osrelease"] = line("6.8.0-45-generic");
  EXPECT_EQ(gpu_in(record(Machine(file).sim), "0000:41:00.0").framework, Framework::vendor_vfio);
  file.files.erase("/usr/lib/nvidia/sriov-manage");
  EXPECT_EQ(gpu_in(record(Machine(file).sim), "0000:41:00.0").framework, Framework::none)
      << "no vGPU manager";
  EXPECT_EQ(gpu_in(record(Machine(m60()).sim), "0000:05:00.0").framework, Framework::mdev);
}

/// A configuration space with an SR-IOV capability behind another one.
std::string config_with_first_offset(char offset) {
  std::string config(4096, '\0');
  config.replace(0x100, 4, std::string("\x01\x00\x01\x20", 4));  // next at 0x200
  config.replace(0x200, 4, std::string("\x10\x00\x01\x00", 4));
  config[0x214] = offset;
  return config;
}

TEST(RecordedGpus, KnowTheFirstFunctionFromItsLinkElseFromTheCapability) {
  EXPECT_EQ(gpu_in(record(Machine(a100()).sim), "0000:41:00.0").first_function, address("0000:41:00.4"));
  auto file = a100();
  file.files[std::string(a100_directory) + "/config"] = HostFile::Text{config_with_first_offset(9)};
  Machine host(file);
  EXPECT_EQ(gpu_in(record(host.sim), "0000:41:00.0").first_function, address("0000:41:01.1"));
  host.sriov_manage("-e", "0000:41:00.0");
  EXPECT_EQ(gpu_in(record(host.sim), "0000:41:00.0").first_function, address("0000:41:00.4"));
  EXPECT_EQ(gpu_in(record(Machine(m60()).sim), "0000:05:00.0").first_function, std::nullopt);
}

TEST(RecordedGpus, AHostileConfigurationSpaceSaysNothing) {
  auto file = a100();
  std::string config(4096, '\0');
  config.replace(0x100, 4, std::string("\x01\x00\x01\x10", 4));  // next: itself
  file.files[std::string(a100_directory) + "/config"] = HostFile::Text{config};
  EXPECT_EQ(gpu_in(record(Machine(file).sim), "0000:41:00.0").first_function, address("0000:41:00.4"));
  config.resize(0x102);
  file.files[std::string(a100_directory) + "/config"] = HostFile::Text{config};
  EXPECT_EQ(gpu_in(record(Machine(file).sim), "0000:41:00.0").first_function, address("0000:41:00.4"));
}

TEST(RecordedGpus, KnowWhatBindsTheFunctionsBeside) {
  Machine host(workstation());
  EXPECT_EQ(record(host.sim).machine.functions.at(address("0000:21:00.1")).drivers,
            std::vector<std::string>{"snd_hda_intel"});
  host.to_vfio("0000:21:00.1");
  EXPECT_EQ(record(host.sim).machine.functions.at(address("0000:21:00.1")).drivers,
            std::vector<std::string>{"snd_hda_intel"})
      << "from its class";
}

TEST(RecordedGpus, ARecordedHostCanBeActedOn) {
  const Machine live(m60());
  auto recorded = record(live.sim);
  SimHost sim(recorded);
  const std::string types = Machine::pci("0000:05:00.0") + "/mdev_supported_types";
  const std::string uuid = "aaaaaaaa-0000-4000-8000-000000000001";
  ASSERT_TRUE(sim.host().files.write_attribute(types + "/nvidia-18/create", uuid));
  EXPECT_EQ(sim.view().files.read("/sys/bus/mdev/devices/" + uuid + "/mdev_type/name"), "GRID M60-2Q\n");
  EXPECT_FALSE(
      sim.host().files.write_attribute(types + "/nvidia-15/create", "aaaaaaaa-0000-4000-8000-000000000002"))
      << "another size";
  ASSERT_TRUE(sim.reboot());
  EXPECT_FALSE(sim.view().files.exists("/sys/bus/mdev/devices/" + uuid).value());
  EXPECT_EQ(sim.view().files.read(types + "/nvidia-18/available_instances"), "4\n");
}

TEST(RecordedGpus, ARecordedHostMakesItsFunctions) {
  const Machine live(a100());
  SimHost sim(record(live.sim));
  const auto run = sim.host().commands.run({.argv = {"/usr/lib/nvidia/sriov-manage", "-e", "0000:41:00.0"}});
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->exit_code, 0) << run->output;
  EXPECT_TRUE(sim.view().files.exists(Machine::pci("0000:41:00.4") + "/mdev_supported_types").value());
}

}  // namespace
}  // namespace gpuhost
