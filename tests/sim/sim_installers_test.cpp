#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

using Fault = HostFile::Installer::Fault;
using ::testing::HasSubstr;

constexpr const char* run_file = "/srv/driver.run";

HostFile host_with(Fault fault = Fault::none) {
  HostFile host;
  host.name = "test";
  const auto put = [&](const char* path, std::string text) {
    host.files[path] = HostFile::Text{std::move(text)};
  };
  for (const char* program : {"/bin/sh", "/usr/bin/apt-get", "/usr/sbin/dkms"}) put(program, "");
  put("/proc/sys/kernel/osrelease", "6.1\n");
  put("/lib/modules/6.1/modules.dep", "");
  put("/lib/modules/6.2/modules.dep", "");
  put("/lib/modules/6.1/build/Makefile", "");
  put("/var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\nVersion: 5\n\n");
  put("/sys/module/kernel", "");
  host.files[run_file] = HostFile::Large{sha256("a run file")};
  host.modules["mdev"] = {};
  host.installers = {
      {.sha256 = sha256("a run file"),
       .package = {},
       .flavor = "vgpu-manager",
       .version = "580.1",
       .signer = {},
       .fault = fault},
      {.sha256 = {}, .package = "nvidia-driver", .flavor = "datacenter", .version = "580.2", .signer = {}},
      {.sha256 = {}, .package = "nvidia-driver", .flavor = "datacenter", .version = "570.1", .signer = {}},
  };
  return host;
}

Result<CommandResult> run(SimHost& sim, std::vector<std::string> argv) {
  return sim.host().commands.run({std::move(argv), std::chrono::seconds{60}});
}

std::string installed(const SimHost& sim, const std::string& module = "nvidia") {
  const auto file = sim.view().modules.available(module);
  return file ? file->version : "none";
}

TEST(SimInstallers, BringTheDriverToEachKernelThatHasHeaders) {
  SimHost sim(host_with());
  EXPECT_EQ(run(sim, {"/bin/sh", run_file, "--ui=none"})->exit_code, 0);
  EXPECT_EQ(installed(sim), "580.1");
  EXPECT_EQ(installed(sim, "nvidia_vgpu_vfio"), "580.1");
  EXPECT_EQ(sim.view().units.state("nvidia-vgpu-mgr.service")->unit_file_state, "enabled");
  EXPECT_THAT(*sim.view().files.read("/lib/modules/6.1/modules.dep"), HasSubstr("nvidia.ko"));
  EXPECT_EQ(*sim.view().files.read("/lib/modules/6.2/modules.dep"), "");
  ASSERT_TRUE(sim.host().modules.load("nvidia_vgpu_vfio"));
  EXPECT_THAT(run(sim, {"/bin/sh", run_file})->output, HasSubstr("already loaded"));
  EXPECT_EQ(run(sim, {"/usr/bin/nvidia-uninstall"})->exit_code, 1) << "it is at work";
  ASSERT_TRUE(sim.host().modules.unload("nvidia_vgpu_vfio"));
  ASSERT_TRUE(sim.host().modules.unload("nvidia"));
  EXPECT_EQ(run(sim, {"/usr/bin/nvidia-uninstall"})->exit_code, 0);
  EXPECT_EQ(installed(sim), "none");
  EXPECT_EQ(sim.view().units.state("nvidia-vgpu-mgr.service")->load_state, "not-found");
}

TEST(SimInstallers, AreKnownByTheirContent) {
  auto host = host_with();
  host.files[run_file] = HostFile::Large{sha256("another")};
  SimHost sim(host);
  EXPECT_NE(run(sim, {"/bin/sh", run_file})->exit_code, 0);
  EXPECT_EQ(installed(sim), "none");
}

TEST(SimInstallers, OfPackagesAreInTheDatabase) {
  SimHost sim(host_with());
  EXPECT_EQ(
      run(sim, {"/usr/bin/apt-get", "-q", "-y", "-o", "a=b", "install", "nvidia-driver=580.2*"})->exit_code,
      0);
  EXPECT_EQ(installed(sim), "580.2");
  EXPECT_THAT(*sim.view().files.read("/var/lib/dpkg/status"), HasSubstr("Package: nvidia-driver\n"));
  EXPECT_EQ(run(sim, {"/usr/bin/apt-get", "-y", "install", "nvidia-driver=570.1*"})->exit_code, 0);
  EXPECT_EQ(installed(sim), "570.1");
  EXPECT_NE(run(sim, {"/usr/bin/apt-get", "-y", "install", "nvidia-driver=1*"})->exit_code, 0);
  EXPECT_EQ(run(sim, {"/usr/bin/apt-get", "-y", "remove", "nvidia-driver"})->exit_code, 0);
  EXPECT_EQ(installed(sim), "none");
  EXPECT_EQ(*sim.view().files.read("/var/lib/dpkg/status"),
            "Package: bash\nStatus: install ok installed\nVersion: 5\n\n");
}

TEST(SimInstallers, FailAsTheyAreTold) {
  SimHost idle(host_with(Fault::does_nothing));
  EXPECT_EQ(run(idle, {"/bin/sh", run_file})->exit_code, 0);
  EXPECT_EQ(installed(idle), "none");
  SimHost failing(host_with(Fault::fails));
  EXPECT_EQ(run(failing, {"/bin/sh", run_file})->exit_code, 1);
  SimHost hanging(host_with(Fault::hangs));
  const auto begin = hanging.view().clock.since_boot();
  EXPECT_EQ(run(hanging, {"/bin/sh", run_file}).error().kind, ErrorKind::timed_out);
  EXPECT_GE(hanging.view().clock.since_boot() - begin, std::chrono::seconds{60});
  SimHost broken(host_with(Fault::brings_broken_modules));
  EXPECT_EQ(run(broken, {"/bin/sh", run_file})->exit_code, 0);
  EXPECT_FALSE(broken.host().modules.load("nvidia"));
}

TEST(SimInstallers, BringModulesThatSecureBootRefusesWithoutSignature) {
  auto host = host_with();
  host.files["/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"] =
      HostFile::Text{std::string("\6\0\0\0\1", 5)};
  for (const std::string signer : {"", "a key"}) {
    host.installers.front().signer = signer;
    SimHost sim(host);
    EXPECT_EQ(run(sim, {"/bin/sh", run_file})->exit_code, 0);
    EXPECT_EQ(sim.host().modules.load("nvidia").has_value(), !signer.empty());
  }
}

}  // namespace
}  // namespace gpuhost
