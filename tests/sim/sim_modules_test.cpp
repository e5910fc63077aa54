#include <gtest/gtest.h>

#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

HostFile::Module module(std::vector<std::string> depends = {}) {
  HostFile::Module made;
  made.depends = std::move(depends);
  return made;
}

/// drm ← nouveau with parameters, vfio ← vfio_pci, kvm built in.
HostFile host() {
  HostFile made;
  made.name = "test";
  made.files["/proc/cmdline"] = HostFile::Text{"quiet nouveau.config=NvClkMode=auto\n"};
  made.files["/proc/modules"] = HostFile::Text{"ext4 983040 1 - Live 0x0000000000000000\n"};
  made.modules["drm"] = module();
  made.modules["nouveau"] = module({"drm"});
  made.modules["nouveau"].file.version = "1.4.0";
  made.modules["nouveau"].file.parameters = {"config", "modeset", "runpm"};
  made.modules["nouveau"].defaults = {{"modeset", "-1"}};
  made.modules["kvm"].file.builtin = true;
  return made;
}

TEST(SimModules, LoadsDependenciesAndCountsTheirUsers) {
  SimHost sim(host());
  ASSERT_TRUE(sim.host().modules.load("nouveau"));
  const auto loaded = sim.view().modules.loaded();
  EXPECT_EQ(loaded->at("drm"), (LoadedModule{1, {"nouveau"}}));
  EXPECT_EQ(loaded->at("nouveau"), LoadedModule{});
  EXPECT_EQ(sim.view().files.read("/sys/module/drm/refcnt"), "1\n");
  EXPECT_EQ(sim.view().files.read("/sys/module/nouveau/version"), "1.4.0\n");
  EXPECT_EQ(sim.view().files.read("/proc/modules"),
            "nouveau 16384 0 - Live 0x0000000000000000\n"
            "drm 16384 1 nouveau, Live 0x0000000000000000\n"
            "ext4 983040 1 - Live 0x0000000000000000\n");
}

TEST(SimModules, TakesNamesWithEitherDash) {
  auto file = host();
  file.modules["vfio_pci"] = module();
  SimHost sim(file);
  EXPECT_TRUE(sim.view().modules.available("vfio-pci"));
  ASSERT_TRUE(sim.host().modules.load("vfio-pci"));
  EXPECT_TRUE(sim.view().modules.loaded()->contains("vfio_pci"));
}

/// As `modprobe -c` of kmod 30 shows it.
TEST(SimModules, ReadsModprobeFilesAsLibkmodDoes) {
  auto file = host();
  file.files["/etc/modprobe.d/a.conf"] = HostFile::Text{"options nouveau modeset=1\n"};
  file.files["/run/modprobe.d/a.conf"] = HostFile::Text{"options nouveau modeset=2\n"};
  file.files["/etc/modprobe.d/b.conf"] = HostFile::Text{"options nouveau runpm=\\\n1\n"};
  SimHost sim(file);
  ASSERT_TRUE(sim.host().modules.load("nouveau"));
  EXPECT_EQ(sim.view().files.read("/sys/module/nouveau/parameters/modeset"), "1\n") << "/etc hides /run";
  EXPECT_EQ(sim.view().files.read("/sys/module/nouveau/parameters/runpm"), "1\n") << "joined without a blank";
}

TEST(SimModules, AppliesDefaultsThenModprobeOptionsThenTheKernelCommandLine) {
  auto file = host();
  file.files["/etc/modprobe.d/b.conf"] =
      HostFile::Text{"# comment\noptions nouveau modeset=1 \\\n runpm=0 unknown=1\n"};
  file.files["/usr/lib/modprobe.d/a.conf"] = HostFile::Text{"options nouveau modeset=0 config=file\n"};
  SimHost sim(file);
  ASSERT_TRUE(sim.host().modules.load("nouveau"));
  const auto& files = sim.view().files;
  EXPECT_EQ(files.read("/sys/module/nouveau/parameters/modeset"), "1\n") << "b.conf comes after a.conf";
  EXPECT_EQ(files.read("/sys/module/nouveau/parameters/runpm"), "0\n");
  EXPECT_EQ(files.read("/sys/module/nouveau/parameters/config"), "NvClkMode=auto\n");
  EXPECT_EQ(files.exists("/sys/module/nouveau/parameters/unknown"), false);
}

TEST(SimModules, AFileInEtcHidesTheSameNameInUsrLib) {
  auto file = host();
  file.files["/etc/modprobe.d/a.conf"] = HostFile::Text{""};
  file.files["/usr/lib/modprobe.d/a.conf"] = HostFile::Text{"options nouveau modeset=0\n"};
  SimHost sim(file);
  ASSERT_TRUE(sim.host().modules.load("nouveau"));
  EXPECT_EQ(sim.view().files.read("/sys/module/nouveau/parameters/modeset"), "-1\n");
}

TEST(SimModules, DoesNotLoadWhatIsNotThereOrReplacedByACommand) {
  auto file = host();
  file.files["/etc/modprobe.d/block.conf"] = HostFile::Text{"install drm /bin/false\nblacklist kvm\n"};
  SimHost sim(file);
  EXPECT_EQ(sim.host().modules.load("absent").error().kind, ErrorKind::not_found);
  const auto loaded = sim.host().modules.load("nouveau");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message,
            "cannot load module nouveau: cannot load module drm: modprobe.d runs '/bin/false' in its place");
  EXPECT_TRUE(sim.view().modules.loaded()->empty());
}

TEST(SimModules, LoadsAgainPastTheModulesOwnInstallLine) {
  auto file = host();
  file.files["/etc/modprobe.d/block.conf"] = HostFile::Text{"install nouveau /bin/false\n"};
  SimHost sim(file);
  EXPECT_FALSE(sim.host().modules.load("nouveau"));
  EXPECT_TRUE(sim.host().modules.load_again("nouveau"));
}

TEST(SimModules, LoadsABlacklistedModuleWhenAskedByName) {
  auto file = host();
  file.files["/etc/modprobe.d/block.conf"] = HostFile::Text{"blacklist nouveau\n"};
  SimHost sim(file);
  EXPECT_TRUE(sim.host().modules.load("nouveau"));
}

TEST(SimModules, TheKernelRefusesWhatModuleBlacklistNames) {
  auto file = host();
  file.files["/proc/cmdline"] = HostFile::Text{"module_blacklist=drm,nouveau\n"};
  SimHost sim(file);
  EXPECT_EQ(sim.host().modules.load("nouveau").error().kind, ErrorKind::denied);
}

TEST(SimModules, DoesNotUnloadWhatIsInUseAndNamesTheUsers) {
  auto file = host();
  file.modules["nvidia"] = module();
  file.modules["nvidia"].loaded = LoadedModule{2, {}};
  SimHost sim(file);
  auto modules = sim.host();
  ASSERT_TRUE(modules.modules.load("nouveau"));
  const auto busy = modules.modules.unload("drm");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error(), (Error{ErrorKind::busy, "cannot unload module drm: used by nouveau"}));
  EXPECT_EQ(modules.modules.unload("nvidia").error().kind, ErrorKind::busy);
  EXPECT_EQ(modules.modules.unload("kvm").error().kind, ErrorKind::unsupported) << "built in";
  EXPECT_TRUE(modules.modules.unload("not_loaded"));
}

TEST(SimModules, UnloadingTakesEveryTraceAway) {
  SimHost sim(host());
  auto modules = sim.host();
  ASSERT_TRUE(modules.modules.load("nouveau"));
  ASSERT_TRUE(modules.modules.unload("nouveau"));
  EXPECT_EQ(sim.view().files.exists("/sys/module/nouveau"), false);
  EXPECT_EQ(sim.view().modules.loaded()->at("drm"), LoadedModule{});
  EXPECT_TRUE(modules.modules.unload("drm"));
  EXPECT_EQ(sim.view().files.read("/proc/modules"), "ext4 983040 1 - Live 0x0000000000000000\n");
}

TEST(SimModules, AnswersUnknownAsItWasRecorded) {
  auto file = host();
  file.modules_unknown = Error{ErrorKind::unsupported, "the kernel has no module support"};
  file.modules["nouveau"].unknown = Error{ErrorKind::denied, "cannot read modules.dep"};
  SimHost sim(file);
  EXPECT_EQ(sim.view().modules.loaded().error(), *file.modules_unknown);
  EXPECT_EQ(sim.view().modules.available("nouveau").error().kind, ErrorKind::denied);
  EXPECT_EQ(sim.view().modules.available("other").error().kind, ErrorKind::unsupported);
  EXPECT_FALSE(sim.host().modules.load("drm"));
  EXPECT_FALSE(sim.host().modules.unload("drm"));
}

}  // namespace
}  // namespace gpuhost
