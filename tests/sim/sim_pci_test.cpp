#include "gpu_hosts.hpp"

namespace gpuhost {
namespace {

using namespace gpu_hosts;

constexpr const char* gpu = "0000:21:00.0";
constexpr const char* audio = "0000:21:00.1";
constexpr const char* information = "/proc/driver/nvidia/gpus/0000:21:00.0/information";

TEST(SimPci, DriversBindWhatIsTheirsWhenTheirModuleIsLoaded) {
  Machine host(workstation());
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
  EXPECT_EQ(host.link("/sys/bus/pci/drivers/nvidia/0000:21:00.0"), gpu);
  EXPECT_NE(host.read(information).find("GPU UUID: \t GPU-a\n"), std::string::npos);
  EXPECT_NE(host.read(information).find("Device Minor: \t 0\n"), std::string::npos);
  EXPECT_TRUE(host.exists("/dev/nvidia0"));
  EXPECT_NE(host.read("/proc/driver/nvidia/version").find("550.90.05"), std::string::npos);
}

TEST(SimPci, TheFirstLoadedModuleOfTheListTakesTheFunction) {
  Machine host(workstation());
  ASSERT_TRUE(host.sim.host().modules.load("nouveau"));
  EXPECT_EQ(host.driver(gpu), "nvidia") << "it has it already";
  ASSERT_TRUE(host.write(Machine::pci(gpu) + "/driver/unbind", gpu));
  EXPECT_EQ(host.driver(gpu), "");
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", gpu));
  EXPECT_EQ(host.driver(gpu), "nvidia");
  ASSERT_TRUE(host.sim.host().modules.unload("nvidia"));
  EXPECT_EQ(host.driver(gpu), "") << "a driver that goes hands nothing on";
  EXPECT_FALSE(host.exists("/proc/driver/nvidia"));
  EXPECT_FALSE(host.exists("/sys/bus/pci/drivers/nvidia"));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", std::string(gpu) + "\n"));
  EXPECT_EQ(host.driver(gpu), "nouveau");
}

TEST(SimPci, DriverOverrideIsTheOneDriverThatMayBind) {
  Machine host(workstation());
  host.to_vfio(gpu);
  EXPECT_EQ(host.driver(gpu), "vfio-pci");
  EXPECT_FALSE(host.exists(information)) << "a GPU on vfio-pci is invisible to NVIDIA's driver";
  EXPECT_FALSE(host.exists("/dev/nvidia0"));
  EXPECT_TRUE(host.exists("/dev/vfio/0"));
  ASSERT_TRUE(host.write(Machine::pci(gpu) + "/driver_override", "\n"));
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/driver_override"), "(null)");
  EXPECT_EQ(host.driver(gpu), "vfio-pci") << "writing it does not unbind";
  ASSERT_TRUE(host.write(Machine::pci(gpu) + "/driver/unbind", gpu));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", gpu));
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_TRUE(host.exists(information));
  EXPECT_FALSE(host.exists("/dev/vfio/0"));
}

TEST(SimPci, ADriverThatIsNotLoadedOrNotFitDoesNotBind) {
  Machine host(workstation());
  ASSERT_TRUE(host.write(Machine::pci(gpu) + "/driver_override", "vfio-pci"));
  ASSERT_TRUE(host.write(Machine::pci(gpu) + "/driver/unbind", gpu));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", gpu)) << "finding no driver is no error";
  EXPECT_EQ(host.driver(gpu), "");
  ASSERT_TRUE(host.sim.host().modules.load("vfio_pci"));
  EXPECT_EQ(host.driver(gpu), "vfio-pci") << "a module that comes binds what waits for it";
  ASSERT_TRUE(host.write(Machine::pci(audio) + "/driver_override", "nvidia"));
  ASSERT_TRUE(host.write(Machine::pci(audio) + "/driver/unbind", audio));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", audio));
  EXPECT_EQ(host.driver(audio), "");
}

TEST(SimPci, BindAndUnbindAnswerAsTheBusDoes) {
  Machine host(workstation());
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/nvidia/bind", gpu).kind, ErrorKind::busy) << "EBUSY";
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/nvidia/bind", audio).kind, ErrorKind::not_found) << "ENODEV";
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/nvidia/unbind", audio).kind, ErrorKind::not_found);
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/nvidia/unbind", "0000:99:00.0").kind, ErrorKind::not_found);
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/vfio-pci/bind", gpu).kind, ErrorKind::not_found)
      << "there is no such driver";
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers_probe", "0000:99:00.0").kind, ErrorKind::invalid);
  EXPECT_EQ(host.refusal(Machine::pci(gpu) + "/driver_override", std::string(4096, 'x')).kind,
            ErrorKind::invalid);
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers/nvidia/unbind", gpu));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers/nvidia/bind", gpu));
  EXPECT_EQ(host.driver(gpu), "nvidia");
}

TEST(SimPci, VfioNeedsAnIommuGroup) {
  auto file = workstation();
  file.machine.iommu = HostFile::Iommu::none;
  Machine host(file);
  host.to_vfio(gpu);
  EXPECT_EQ(host.driver(gpu), "");
  EXPECT_EQ(host.refusal("/sys/bus/pci/drivers/vfio-pci/bind", gpu).kind, ErrorKind::invalid);
}

TEST(SimPci, UnbindingWhatIsInUseWouldNeverEnd) {
  auto file = workstation();
  file.processes[4711] = opens("/dev/nvidia0");
  Machine host(file);
  // The host came up, and somebody opens the GPU.
  file = host.sim.file();
  file.processes[4711] = opens("/dev/nvidia0");
  SimHost sim(file);
  const auto done = sim.host().files.write_attribute(Machine::pci(gpu) + "/driver/unbind", gpu);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  EXPECT_NE(done.error().message.find("for ever"), std::string::npos) << done.error().message;
  EXPECT_NE(done.error().message.find("python3 (4711) has /dev/nvidia0 open"), std::string::npos);
  const auto unloaded = sim.host().modules.unload("nvidia");
  ASSERT_FALSE(unloaded);
  EXPECT_EQ(unloaded.error().kind, ErrorKind::busy);
}

TEST(SimPci, AGuestKeepsItsGroupOnVfio) {
  Machine before(workstation());
  before.to_vfio(gpu);
  before.to_vfio(audio);
  auto file = before.sim.file();
  file.processes[4711] = opens("/dev/vfio/0");
  SimHost sim(file);
  for (const char* device : {gpu, audio}) {
    const auto done = sim.host().files.write_attribute("/sys/bus/pci/drivers/vfio-pci/unbind", device);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::timed_out);
  }
  EXPECT_FALSE(sim.host().modules.unload("vfio_pci"));
}

TEST(SimPci, TheGroupIsClosedWithItsLastDevice) {
  Machine host(workstation());
  host.to_vfio(gpu);
  host.to_vfio(audio);
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers/vfio-pci/unbind", gpu));
  EXPECT_TRUE(host.exists("/dev/vfio/0"));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers/vfio-pci/unbind", audio));
  EXPECT_FALSE(host.exists("/dev/vfio/0"));
}

TEST(SimPci, WhatIsNotSimulatedIsRefused) {
  auto file = workstation();
  file.files["/sys/bus/pci/devices/0000:21:00.0/reset"] = HostFile::Text{"", 0200};
  Machine host(file);
  EXPECT_EQ(host.refusal(Machine::pci(gpu) + "/reset", "1").kind, ErrorKind::unsupported);
  ASSERT_TRUE(host.exists(Machine::pci(gpu) + "/reset"));
}

TEST(SimPciBoot, ClearsOverridesAndBindsAsModulesSay) {
  Machine host(workstation());
  host.to_vfio(gpu);
  host.to_vfio(audio);
  ASSERT_TRUE(host.sim.reboot());
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
  EXPECT_EQ(host.read(Machine::pci(gpu) + "/driver_override"), "(null)");
  EXPECT_FALSE(host.exists("/sys/bus/pci/drivers/vfio-pci")) << "nobody loads it";
  EXPECT_FALSE(host.exists("/dev/vfio/0"));
}

TEST(SimPciBoot, AFunctionWhoseModuleIsNotListedGetsItsDriverBack) {
  auto file = workstation();
  file.modules.erase("snd_hda_intel");
  file.files["/sys/bus/pci/devices/0000:21:00.1/driver"] = HostFile::Link{"../../drivers/snd_hda_intel"};
  Machine host(file);
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
  host.to_vfio(audio);
  ASSERT_TRUE(host.write(Machine::pci(audio) + "/driver_override", ""));
  ASSERT_TRUE(host.write(Machine::pci(audio) + "/driver/unbind", audio));
  ASSERT_TRUE(host.write("/sys/bus/pci/drivers_probe", audio));
  EXPECT_EQ(host.driver(audio), "snd_hda_intel");
}

TEST(SimPciBoot, TheOptionIdsOfVfioCountsOnlyIfItIsLoadedBeforeTheOwnDriver) {
  auto file = workstation();
  file.files["/etc/modprobe.d/vfio.conf"] = HostFile::Text{"options vfio-pci ids=10de:2235,10de:1aef\n"};
  file.files["/etc/modules-load.d/vfio.conf"] = HostFile::Text{"vfio-pci\n"};
  {
    Machine host(file);
    EXPECT_EQ(host.driver(gpu), "nvidia") << "hardware asks for its driver first";
  }
  file.files["/etc/modprobe.d/soft.conf"] =
      HostFile::Text{"softdep nvidia pre: vfio-pci\nsoftdep snd_hda_intel pre: vfio-pci\n"};
  Machine host(file);
  EXPECT_EQ(host.driver(gpu), "vfio-pci");
  EXPECT_EQ(host.driver(audio), "vfio-pci");
}

TEST(SimPciBoot, TheOptionIdsKnowsSubsystemsAndTakesAllEqualBoards) {
  auto file = m60();
  file.files["/etc/modprobe.d/vfio.conf"] =
      HostFile::Text{"options vfio-pci ids=10de:13f2:10de:113a\nsoftdep nvidia pre: vfio-pci\n"};
  {
    Machine host(file);
    EXPECT_EQ(host.driver("0000:05:00.0"), "vfio-pci");
    EXPECT_EQ(host.driver("0000:06:00.0"), "vfio-pci");
  }
  file.files["/etc/modprobe.d/vfio.conf"] =
      HostFile::Text{"options vfio-pci ids=10de:13f2:10de:115e\nsoftdep nvidia pre: vfio-pci\n"};
  Machine host(file);
  EXPECT_EQ(host.driver("0000:05:00.0"), "nvidia");
}

TEST(SimPciBoot, ASoftDependencyInTheInitramfsCountsWhenItIsBuilt) {
  auto file = workstation();
  file.files["/usr/sbin/update-initramfs"] = HostFile::Text{"#!/bin/sh\n", 0755};
  Machine host(file);
  ASSERT_TRUE(host.sim.host().files.replace(
      "/etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:2235\nsoftdep nvidia pre: vfio-pci\n"));
  ASSERT_TRUE(host.sim.reboot());
  EXPECT_EQ(host.driver(gpu), "nvidia");
  ASSERT_TRUE(host.sim.host().commands.run({.argv = {"/usr/sbin/update-initramfs", "-u"}}));
  ASSERT_TRUE(host.sim.reboot());
  EXPECT_EQ(host.driver(gpu), "vfio-pci");
}

TEST(SimPciBoot, ABoardThatIsOutIsNotThereWithAllFunctionsOfItsSlot) {
  Machine before(workstation());
  auto file = before.sim.file();
  file.machine.gpus.at(address(gpu)).gone = true;
  SimHost sim(file);
  EXPECT_TRUE(sim.view().files.exists(Machine::pci(gpu)).value()) << "until it starts again";
  ASSERT_TRUE(sim.reboot());
  for (const std::string& path :
       {Machine::pci(gpu), Machine::pci(audio), std::string("/dev/nvidia0"),
        std::string("/sys/kernel/iommu_groups/0"), std::string("/proc/driver/nvidia/gpus/0000:21:00.0")}) {
    EXPECT_FALSE(sim.view().files.exists(path).value()) << path;
  }
}

TEST(SimPciBoot, AHostThatSaysNothingOfItsGpusKeepsItsDrivers) {
  auto file = workstation();
  file.machine.gpus.clear();
  file.machine.functions.clear();
  file.files["/sys/bus/pci/devices/0000:21:00.0/driver"] = HostFile::Link{"../../drivers/nvidia"};
  file.files["/proc/driver/nvidia/gpus/0000:21:00.0/information"] = line("Model: old");
  Machine host(file);
  EXPECT_EQ(host.driver(gpu), "nvidia");
  EXPECT_EQ(host.read(information), "Model: old");
}

}  // namespace
}  // namespace gpuhost
