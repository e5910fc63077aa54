#include <gtest/gtest.h>

#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

using Names = std::vector<std::string>;

HostFile::Text text(std::string content) {
  return {std::move(content)};
}

/// A host whose next command line is what its grub.cfg says.
HostFile host(const std::string& running, const std::string& next) {
  HostFile made;
  made.name = "test";
  made.machine.iommu = HostFile::Iommu::intel;
  made.files["/proc/cmdline"] = text(running + "\n");
  made.files["/proc/sys/kernel/random/boot_id"] = text("0b4ee1a0-7a8c-4a3f-9d5c-0a7c2b6f1e11\n");
  made.files["/boot/grub/grub.cfg"] =
      text("menuentry 'Debian' {\n\tlinux /vmlinuz root=UUID=1 ro " + next + " $vt_handoff\n}\n");
  for (const char* device : {"0000:00:00.0", "0000:41:00.0", "0000:41:00.1"}) {
    made.files[std::string("/sys/bus/pci/devices/") + device + "/vendor"] = text("0x10de\n");
  }
  return made;
}

HostFile::Module at_boot() {
  HostFile::Module module;
  module.at_boot = true;
  return module;
}

Names loaded(const SimHost& sim) {
  Names names;
  const auto modules = sim.view().modules.loaded();
  for (const auto& [name, module] : *modules) names.push_back(name);
  return names;
}

TEST(SimBoot, AKernelParameterIsTrueOnlyAfterAReboot) {
  SimHost sim(host("BOOT_IMAGE=/vmlinuz root=UUID=1 ro", "iommu=pt"));
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"), "BOOT_IMAGE=/vmlinuz root=UUID=1 ro\n");
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"), "BOOT_IMAGE=/vmlinuz root=UUID=1 ro iommu=pt\n");
}

TEST(SimBoot, AHostWithoutKnownBootLoaderKeepsItsCommandLine) {
  auto file = host("root=/dev/vda quiet", "");
  file.files.erase("/boot/grub/grub.cfg");
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"), "root=/dev/vda quiet\n");
}

TEST(SimBoot, BootsTheNewestLoaderEntryWithTheVariablesOfGrub) {
  auto file = host("BOOT_IMAGE=(hd0,gpt2)/vmlinuz root=x", "");
  file.files["/boot/grub/grub.cfg"] = text("blscfg\n");
  file.files["/boot/grub2/grubenv"] = text("# GRUB Environment Block\nkernelopts=root=x ro \n");
  file.files["/boot/loader/entries/m-0-rescue.conf"] = text("options rescue\n");
  file.files["/boot/loader/entries/m-5.14.0-70.conf"] = text("options old\n");
  file.files["/boot/loader/entries/m-5.14.0-162.conf"] =
      text("title x\noptions $kernelopts iommu=pt $tuned_params\n");
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"), "BOOT_IMAGE=(hd0,gpt2)/vmlinuz root=x ro  iommu=pt\n");
}

TEST(SimBoot, ForgetsRunAndGetsANewBootId) {
  auto file = host("", "");
  file.files["/run/gpuhost/status.json"] = text("{}");
  SimHost a(file);
  SimHost b(file);
  const auto before = *a.view().files.read("/proc/sys/kernel/random/boot_id");
  ASSERT_TRUE(a.reboot());
  ASSERT_TRUE(b.reboot());
  EXPECT_TRUE(a.view().files.list("/run")->empty());
  const auto after = *a.view().files.read("/proc/sys/kernel/random/boot_id");
  EXPECT_NE(after, before);
  EXPECT_EQ(after.size(), before.size());
  EXPECT_EQ(a.file(), b.file()) << "the same host boots the same way";
}

struct IommuCase {
  HostFile::Iommu iommu;
  bool default_on;
  std::string line;
  Names units;
  std::string type;  ///< empty: no groups
};

class IommuAtBoot : public ::testing::TestWithParam<IommuCase> {};

TEST_P(IommuAtBoot, FollowsFirmwareKernelAndCommandLine) {
  const auto& expected = GetParam();
  auto file = host("", expected.line);
  file.machine.iommu = expected.iommu;
  file.machine.iommu_default_on = expected.default_on;
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  const auto& files = sim.view().files;
  EXPECT_EQ(files.list("/sys/class/iommu").value_or(Names{}), expected.units);
  const auto groups = files.list("/sys/kernel/iommu_groups").value_or(Names{});
  EXPECT_EQ(groups, expected.type.empty() ? Names{} : (Names{"0", "1"}));
  for (const auto& group : groups) {
    EXPECT_EQ(files.read("/sys/kernel/iommu_groups/" + group + "/type"), expected.type + "\n");
  }
}

using enum HostFile::Iommu;
INSTANTIATE_TEST_SUITE_P(
    SimBoot, IommuAtBoot,
    testing::Values(IommuCase{intel, true, "", {"dmar0"}, "DMA"}, IommuCase{intel, false, "", {}, ""},
                    IommuCase{intel, false, "intel_iommu=on iommu=pt", {"dmar0"}, "identity"},
                    IommuCase{intel, true, "intel_iommu=off", {}, ""},
                    IommuCase{intel, true, "intel_iommu=off intel-iommu=on,sm_on", {"dmar0"}, "DMA"},
                    IommuCase{intel, true, "iommu=off", {}, ""},
                    IommuCase{intel, true, "iommu.passthrough=1", {"dmar0"}, "identity"},
                    IommuCase{intel, true, "amd_iommu=off", {"dmar0"}, "DMA"},
                    IommuCase{amd, true, "iommu=pt", {"ivhd0"}, "identity"},
                    IommuCase{amd, true, "", {"ivhd0"}, "DMA"}, IommuCase{amd, true, "amd_iommu=off", {}, ""},
                    IommuCase{none, true, "intel_iommu=on", {}, ""}));

TEST(SimBoot, LinksDevicesAndGroupsBothWays) {
  SimHost sim(host("", ""));
  ASSERT_TRUE(sim.reboot());
  const auto& files = sim.view().files;
  EXPECT_EQ(files.link_target("/sys/bus/pci/devices/0000:41:00.1/iommu_group"),
            "../../../../kernel/iommu_groups/1");
  EXPECT_EQ(*files.list("/sys/kernel/iommu_groups/1/devices"), (Names{"0000:41:00.0", "0000:41:00.1"}));
  EXPECT_EQ(files.read("/sys/bus/pci/devices/0000:41:00.0/iommu_group/type"), "DMA\n");
  EXPECT_EQ(files.read("/sys/kernel/iommu_groups/1/devices/0000:41:00.0/vendor"), "0x10de\n");
}

TEST(SimBoot, RestoresTheRecordedGroupsWhenTheIommuComesBack) {
  auto file = host("", "intel_iommu=off");
  file.files["/sys/class/iommu/dmar7"] = HostFile::Directory{};
  file.files["/sys/kernel/iommu_groups/12/type"] = text("DMA\n");
  file.files["/sys/kernel/iommu_groups/12/devices/0000:41:00.0"] = HostFile::Link{"../../x"};
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_TRUE(sim.view().files.list("/sys/kernel/iommu_groups")->empty());
  EXPECT_EQ(sim.view().files.exists("/sys/bus/pci/devices/0000:41:00.0/iommu_group"), false);
  ASSERT_TRUE(sim.host().files.replace("/boot/grub/grub.cfg", "linux /vmlinuz ro iommu=pt\n"));
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(*sim.view().files.list("/sys/kernel/iommu_groups"), Names{"12"});
  EXPECT_EQ(*sim.view().files.list("/sys/class/iommu"), Names{"dmar7"});
  EXPECT_EQ(sim.view().files.read("/sys/bus/pci/devices/0000:41:00.0/iommu_group/type"), "identity\n");
}

TEST(SimBoot, LoadsWhatTheHardwareAndModulesLoadNameAndNothingElse) {
  auto file = host("", "");
  file.modules["nouveau"] = at_boot();
  file.modules["nouveau"].file.parameters = {"modeset"};
  file.modules["vfio_pci"] = {};
  file.modules["by_hand"].loaded = LoadedModule{};
  file.files["/sys/module/by_hand/refcnt"] = text("0\n");
  file.files["/etc/modules-load.d/gpuhost.conf"] = text("# gpuhost\nvfio-pci\n");
  file.files["/etc/modprobe.d/nouveau.conf"] = text("options nouveau modeset=0\n");
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(loaded(sim), (Names{"nouveau", "vfio_pci"}));
  EXPECT_EQ(sim.view().files.exists("/sys/module/by_hand"), false);
  EXPECT_EQ(sim.view().files.read("/sys/module/nouveau/parameters/modeset"), "0\n");
}

TEST(SimBoot, ABuiltInModuleTakesItsParametersFromTheCommandLine) {
  auto file = host("", "kvm.ignore_msrs=1");
  file.modules["kvm"].file = {true, "", {"ignore_msrs"}};
  file.modules["kvm"].defaults = {{"ignore_msrs", "N"}};
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().files.read("/sys/module/kvm/parameters/ignore_msrs"), "1\n");
}

TEST(SimBoot, ABlockHoldsOnlyWhenTheInitramfsHasItToo) {
  auto file = host("", "");
  file.modules["nouveau"] = at_boot();
  file.files["/usr/sbin/update-initramfs"] = text("");
  SimHost sim(file);
  ASSERT_TRUE(sim.host().files.replace("/etc/modprobe.d/zz-gpuhost.conf",
                                       "blacklist nouveau\ninstall nouveau /bin/false\n"));
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(loaded(sim), Names{"nouveau"}) << "the initramfs does not know of the block yet";
  EXPECT_EQ(sim.file().machine.initramfs, "");
  ASSERT_TRUE(sim.host().commands.run({{"/usr/sbin/update-initramfs", "-u", "-k", "all"}}));
  EXPECT_EQ(sim.file().machine.initramfs, std::nullopt);
  EXPECT_EQ(loaded(sim), Names{"nouveau"}) << "building an initramfs unloads nothing";
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(loaded(sim), Names{});
}

TEST(SimBoot, AHostWithoutInitramfsObeysModprobeAlone) {
  auto file = host("", "");
  file.modules["nouveau"] = at_boot();
  SimHost sim(file);
  ASSERT_TRUE(sim.host().files.replace("/etc/modprobe.d/zz-gpuhost.conf", "blacklist nouveau\n"));
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(loaded(sim), Names{});
}

TEST(SimBoot, UndoingAChangeOfModprobeMakesTheInitramfsCurrentAgain) {
  auto file = host("", "");
  file.files["/usr/bin/dracut"] = text("");
  file.files["/etc/modprobe.d/a.conf"] = text("blacklist a\n");
  SimHost sim(file);
  ASSERT_TRUE(sim.host().files.replace("/etc/modprobe.d/a.conf", "blacklist b\n"));
  EXPECT_EQ(sim.file().machine.initramfs, "blacklist a\n");
  ASSERT_TRUE(sim.host().files.replace("/etc/modprobe.d/a.conf", "blacklist a\n"));
  EXPECT_EQ(sim.file(), file);
}

TEST(SimBoot, TheCommandLineCanBlacklist) {
  auto file = host("", "modprobe.blacklist=nouveau,other");
  file.modules["nouveau"] = at_boot();
  file.files["/etc/modules"] = text("other\n");
  file.modules["other"] = {};
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(loaded(sim), Names{}) << "systemd-modules-load heeds the blacklist too";
}

TEST(SimBoot, StartsEnabledUnitsAndNoOthers) {
  auto file = host("", "");
  file.units["a.service"].state = {"loaded", "inactive", "dead", "enabled"};
  file.units["b.service"].state = {"loaded", "active", "running", "disabled"};
  file.units["c.service"].state = {"loaded", "failed", "failed", "static"};
  file.units["d.service"].state = {"masked", "inactive", "dead", "masked"};
  file.units["e.service"].state = {"loaded", "active", "running", "enabled-runtime"};
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  const auto& units = sim.view().units;
  EXPECT_EQ(*units.state("a.service"), (UnitState{"loaded", "active", "running", "enabled"}));
  EXPECT_EQ(*units.state("b.service"), (UnitState{"loaded", "inactive", "dead", "disabled"}));
  EXPECT_EQ(*units.state("c.service"), (UnitState{"loaded", "inactive", "dead", "static"}));
  EXPECT_EQ(*units.state("d.service"), (UnitState{"masked", "inactive", "dead", "masked"}));
  EXPECT_EQ(*units.state("e.service"), (UnitState{"loaded", "inactive", "dead", "disabled"}));
}

TEST(SimBoot, CanBeMadeToFail) {
  SimHost sim(host("a", "b"));
  sim.inject("reboot", 1, {ErrorKind::io, "no power"});
  EXPECT_EQ(sim.reboot().error().message, "no power");
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"), "a\n");
}

}  // namespace
}  // namespace gpuhost
