#include "kinds/driver/driver.hpp"

#include <gmock/gmock.h>

#include "inventory/guest_reports.hpp"
#include "kinds/driver/packages.hpp"
#include "kinds/guest_driver/guest_driver.hpp"
#include "kinds/one_pass.hpp"
#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using Flavor = DriverSpec::Flavor;
using Product = DriverSpec::Product;
using Verdict = Finding::Verdict;

constexpr const char* kernel = "6.1.0-18-amd64";
constexpr const char* other_kernel = "6.1.0-25-amd64";
constexpr const char* first_gpu = "0000:41:00.0";

/// With the vGPU manager of this version installed and loaded, and one A100.
FakeHost host_with(const std::string& version) {
  FakeHost host;
  host.files["/proc/sys/kernel/osrelease"] = std::string(kernel) + "\n";
  host.files[std::string("/lib/modules/") + kernel + "/modules.dep"] = "";
  host.module_files["nvidia"] = {.version = version};
  host.module_files["nvidia_vgpu_vfio"] = {.version = version};
  host.files["/sys/module/nvidia/version"] = version + "\n";
  host.files["/sys/module/nvidia_vgpu_vfio/version"] = version + "\n";
  put_function(host, {.address = first_gpu, .device = "0x20f1", .pci_class = "0x030200", .driver = "nvidia"});
  return host;
}

Located<std::string> text(const char* value) {
  return {value, {}};
}

DriverSpec manager(const char* release) {
  return {.flavor = Located{Flavor::vgpu_manager, Mark{}}, .release = text(release)};
}

Proposal planned(const DriverSpec& spec, const FakeHost& host) {
  return plan(*make_driver(spec, {}), host, {}, {});
}

std::vector<std::string> messages(const Proposal& proposal, Note::Severity severity) {
  std::vector<std::string> found;
  for (const auto& note : proposal.notes)
    if (note.severity == severity) found.push_back(note.message);
  return found;
}

TEST(Driver, IsInSyncAsItsReleaseSays) {
  const auto seen = planned(manager("19.5"), host_with("580.159.01"));
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_THAT(seen.notes, IsEmpty());
  for (const auto* address : {"driver.flavor", "driver.installed", "driver.loaded"})
    EXPECT_EQ(finding(seen, address).verdict, Verdict::in_sync) << address;
  EXPECT_EQ(finding(seen, "driver.loaded").desired, "580.159.01");
}

TEST(Driver, OnBareMetalHasTheVersionOfLinuxGuests) {
  EXPECT_EQ(wanted_version(manager("19.5")), "580.159.01");
  auto spec = manager("19.5");
  spec.flavor = Located{Flavor::graphics, Mark{}};
  EXPECT_EQ(wanted_version(spec), "580.159.03");
  spec.version = text("1.2");
  EXPECT_EQ(wanted_version(spec), "1.2");
}

TEST(Driver, OfAnotherVersionBlocksWithoutSource) {
  const auto seen = planned(manager("19.5"), host_with("535.161.05"));
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_EQ(seen.steps[0].title, "install driver 580.159.01 (vgpu-manager)");
  EXPECT_THAT(seen.steps[0].blocked_by, ElementsAre(HasSubstr("names no source")));
  EXPECT_EQ(finding(seen, "driver.installed").observed, "535.161.05");
}

TEST(Driver, InstalledAndNotLoadedComesWithTheNextBoot) {
  auto host = host_with("535.161.05");
  host.module_files["nvidia"].version = "580.159.01";
  const auto seen = planned(manager("19.5"), host);
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_EQ(finding(seen, "driver.loaded").verdict, Verdict::pending_reboot);
}

FakeHost unloaded(const std::string& version) {
  auto host = host_with(version);
  host.files.erase("/sys/module/nvidia/version");
  host.files.erase("/sys/module/nvidia_vgpu_vfio/version");
  return host;
}

TEST(Driver, ThatIsNotLoadedIsLoaded) {
  const auto seen = planned(manager("19.5"), unloaded("580.159.01"));
  ASSERT_EQ(titles(seen), std::vector<std::string>{"load NVIDIA's driver 580.159.01"});
  EXPECT_THAT(seen.steps[0].blocked_by, IsEmpty());
  EXPECT_THAT(seen.steps[0].provides,
              ElementsAre(Fact{"module/nvidia", "loaded"}, Fact{"module/nvidia_vgpu_vfio", "loaded"}));
}

TEST(Driver, LoadedIsReadBackAndUndone) {
  auto fake = unloaded("580.159.01");
  const auto kind = make_driver(manager("19.5"), {});
  const auto action = planned(manager("19.5"), fake).steps.at(0).action;
  auto host = fake.host();
  EXPECT_EQ(kind->undo_of(action, host.view).value()->action.verb, "unload");
  ASSERT_TRUE(kind->run(action, host));
  EXPECT_TRUE(fake.loaded_modules.contains("nvidia"));
  EXPECT_TRUE(fake.loaded_modules.contains("nvidia_vgpu_vfio"));
  EXPECT_EQ(kind->satisfied(action, host.view).value(), false) << "another version, or none, in /sys";
  fake.files["/sys/module/nvidia/version"] = "580.159.01\n";
  EXPECT_EQ(kind->satisfied(action, host.view).value(), false) << "without the manager";
  fake.files["/sys/module/nvidia_vgpu_vfio/version"] = "580.159.01\n";
  EXPECT_EQ(kind->satisfied(action, host.view).value(), true);
  auto back = action;
  back.verb = "unload";
  ASSERT_TRUE(kind->run(back, host));
  EXPECT_THAT(fake.loaded_modules, IsEmpty());
}

TEST(Driver, IsNotLoadedWhileNouveauHasTheGpus) {
  auto host = unloaded("580.159.01");
  host.directories.insert("/sys/module/nouveau");
  const auto seen = planned(manager("19.5"), host);
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_THAT(seen.steps[0].needs, ElementsAre(Fact{"module/nouveau", "unloaded"}));
}

TEST(Driver, OfAnotherFlavorDiffers) {
  auto spec = manager("19.5");
  spec.flavor = Located{Flavor::datacenter, Mark{}};
  const auto seen = planned(spec, host_with("580.159.03"));
  EXPECT_EQ(finding(seen, "driver.flavor").observed, "vgpu-manager");
  EXPECT_EQ(finding(seen, "driver.flavor").verdict, Verdict::differs);
  EXPECT_EQ(seen.steps.size(), 1U);
}

constexpr const char* run_file = "/srv/nvidia/driver.run";

/// From a file whose content is its digest's.
DriverSpec with_source(DriverSpec spec, const FakeHost& host, const char* path = run_file) {
  const auto content = host.read(path).value_or("");
  spec.source = PackageSource{PackageSource::Form::runfile, path, sha256(content)};
  return spec;
}

FakeHost host_with_installer() {
  auto host = host_with("535.161.05");
  host.files[run_file] = "installer";
  host.files["/usr/bin/nvidia-uninstall"] = "";
  host.directories.insert(std::string("/lib/modules/") + kernel + "/build");
  return host;
}

std::vector<std::string> obstacles(const Proposal& proposal) {
  std::vector<std::string> all;
  for (const auto& step : proposal.steps)
    all.insert(all.end(), step.blocked_by.begin(), step.blocked_by.end());
  return all;
}

TEST(Driver, OfAnotherVersionIsUnloadedInstalledAndLoaded) {
  const auto host = host_with_installer();
  const auto seen = planned(with_source(manager("19.5"), host), host);
  EXPECT_THAT(titles(seen),
              ElementsAre("copy /srv/nvidia/driver.run to /var/lib/gpuhost/sources",
                          "unload NVIDIA's driver 535.161.05",
                          "install NVIDIA's driver 580.159.01 (vgpu-manager) from /srv/nvidia/driver.run",
                          "load NVIDIA's driver 580.159.01"));
  EXPECT_THAT(obstacles(seen), IsEmpty());
  EXPECT_EQ(seen.steps[1].disruption, Disruption::reload_driver);
}

TEST(Driver, IsInstalledWithoutQuestionsByTheOptionsOfItsBranch) {
  auto fake = host_with_installer();
  fake.files["/usr/sbin/dkms"] = "";
  const auto spec = with_source(manager("19.5"), fake);
  const auto kind = make_driver(spec, {});
  const auto steps = plan(*kind, fake, {}, {}).steps;
  auto host = fake.host();
  const auto copy = "/var/lib/gpuhost/sources/" + spec.source->sha256 + ".run";
  ASSERT_TRUE(kind->run(steps.at(0).action, host));
  EXPECT_EQ(fake.files[copy], "installer");
  EXPECT_EQ(kind->satisfied(steps[0].action, host.view).value(), true);
  const auto nothing = kind->run(steps[2].action, host);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().kind, ErrorKind::mismatch);
  EXPECT_THAT(fake.commands, ElementsAre("/bin/sh " + copy +
                                         " --ui=none --no-questions --tmpdir /var/lib/gpuhost/sources "
                                         "--skip-module-load --dkms"));
  fake.on_command = [&](const Command&) {
    fake.module_files["nvidia"].version = fake.module_files["nvidia_vgpu_vfio"].version = "580.159.01";
    return CommandResult{};
  };
  EXPECT_TRUE(kind->run(steps[2].action, host));
}

TEST(Driver, IsRefusedBeforeAnythingIsRemoved) {
  struct Case {
    const char* told;
    std::function<void(FakeHost&)> spoil;
  };
  const std::vector<Case> cases{
      {"has the SHA-256", [](FakeHost& host) { host.files[run_file] = "cut off"; }},
      {"cannot be used", [](FakeHost& host) { host.files.erase(run_file); }},
      {"has no headers",
       [](FakeHost& host) { host.directories.erase(std::string("/lib/modules/") + kernel + "/build"); }},
      {"without DKMS",
       [](FakeHost& host) {
         host.files[std::string("/lib/modules/") + other_kernel + "/modules.dep"] = "nvidia.ko:\n";
       }},
      {"Secure Boot is on",
       [](FakeHost& host) {
         host.files["/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"] =
             std::string("\6\0\0\0\1", 5);
       }},
      {"module evil uses NVIDIA's driver",
       [](FakeHost& host) { host.loaded_modules["nvidia"].users = {"evil"}; }},
  };
  for (const auto& [told, spoil] : cases) {
    auto host = host_with_installer();
    const auto spec = with_source(manager("19.5"), host);
    spoil(host);
    EXPECT_THAT(obstacles(planned(spec, host)), ElementsAre(HasSubstr(told)));
  }
}

TEST(Driver, OfPackagesIsInstalledByWhatTheHostHas) {
  auto fake = host_with_installer();
  auto spec = manager("19.5");
  const auto command_of = [&](PackageSource::Form form, const char* what) {
    spec.source = PackageSource{form, what, sha256("installer")};
    const auto kind = make_driver(spec, {});
    auto host = fake.host();
    for (const auto& step : plan(*kind, fake, {}, {}).steps)
      if (step.action.verb == "install") (void)kind->run(step.action, host);
    return fake.commands.empty() ? std::string{} : fake.commands.back();
  };
  spec.source = PackageSource{PackageSource::Form::package, "nvidia-vgpu-ubuntu-580", ""};
  EXPECT_THAT(obstacles(planned(spec, fake)), ElementsAre(HasSubstr("no tool that installs the source")));
  fake.files["/usr/bin/apt-get"] = "";
  EXPECT_THAT(command_of(PackageSource::Form::package, "nvidia-vgpu-ubuntu-580"),
              HasSubstr("--allow-downgrades -o Dpkg::Options::=--force-confold install "
                        "nvidia-vgpu-ubuntu-580=580.159.01*"));
  EXPECT_THAT(command_of(PackageSource::Form::deb, run_file),
              HasSubstr("install /var/lib/gpuhost/sources/" + sha256("installer") + ".deb"));
  fake.files.erase("/usr/bin/apt-get");
  fake.files["/usr/bin/dnf"] = "";
  EXPECT_EQ(command_of(PackageSource::Form::package, "nvidia-driver"),
            "/usr/bin/dnf -q -y install nvidia-driver-580.159.01");
}

TEST(Driver, ThatCameOtherwiseGoesFirst) {
  auto host = host_with_installer();
  host.files["/usr/bin/apt-get"] = "";
  auto spec = manager("19.5");
  spec.source = PackageSource{PackageSource::Form::package, "nvidia-vgpu-ubuntu-580", ""};
  EXPECT_THAT(titles(planned(spec, host)), Contains("remove NVIDIA's driver 535.161.05 (vgpu-manager)"));
}

FakeHost bare_metal_host() {
  auto host = host_with("580.159.03");
  host.module_files.erase("nvidia_vgpu_vfio");
  host.files.erase("/sys/module/nvidia_vgpu_vfio/version");
  return host;
}

TEST(Driver, OfBareMetalIsToldByItsLicenceDaemon) {
  auto host = bare_metal_host();
  auto spec = manager("19.5");
  spec.flavor = Located{Flavor::datacenter, Mark{}};
  EXPECT_EQ(finding(planned(spec, host), "driver.flavor").verdict, Verdict::in_sync);
  host.files["/usr/bin/nvidia-gridd"] = "";
  spec.flavor = Located{Flavor::graphics, Mark{}};
  EXPECT_EQ(finding(planned(spec, host), "driver.flavor").verdict, Verdict::in_sync);
}

TEST(Driver, NoneIsWhereNothingIsInstalled) {
  const DriverSpec none{.flavor = Located{Flavor::none, Mark{}}};
  FakeHost host;
  EXPECT_EQ(finding(planned(none, host), "driver.flavor").verdict, Verdict::in_sync);
  const auto seen = planned(none, host_with("580.159.01"));
  EXPECT_THAT(titles(seen), ElementsAre("unload NVIDIA's driver 580.159.01",
                                        "remove NVIDIA's driver 580.159.01 (vgpu-manager)"));
  EXPECT_THAT(seen.steps.back().blocked_by, ElementsAre(HasSubstr("uninstall it")));
}

TEST(Driver, IsMissedByEachInstalledKernel) {
  auto host = host_with("580.159.01");
  const auto index = std::string("/lib/modules/") + other_kernel + "/modules.dep";
  host.files[index] = "kernel/drivers/gpu/drm/nouveau/nouveau.ko.xz: kernel/drivers/gpu/drm/drm.ko.xz\n";
  host.directories.insert("/lib/modules/6.1.0-9-amd64");  // a removed kernel
  auto seen = planned(manager("19.5"), host);
  EXPECT_EQ(finding(seen, "driver.kernels[6.1.0-25-amd64]").verdict, Verdict::differs);
  EXPECT_THAT(seen.steps.at(0).blocked_by, ElementsAre(HasSubstr("6.1.0-25-amd64")));
  host.files[index] += "updates/dkms/nvidia.ko.xz:\n";
  seen = planned(manager("19.5"), host);
  EXPECT_EQ(finding(seen, "driver.kernels[6.1.0-25-amd64]").verdict, Verdict::in_sync);
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_EQ(seen.findings.size(), 4U);
}

TEST(Driver, ThatCannotBeReadIsUnknown) {
  auto host = host_with("580.159.01");
  host.errors["/sys/module/nvidia/version"] = {ErrorKind::denied, "no permission"};
  host.modules_error = Error{ErrorKind::unsupported, "no libkmod"};
  const auto seen = planned(manager("19.5"), host);
  EXPECT_EQ(finding(seen, "driver.loaded").verdict, Verdict::unknown);
  EXPECT_EQ(finding(seen, "driver.installed").reason, "no libkmod");
  EXPECT_THAT(seen.steps, IsEmpty());
}

TEST(Driver, OfAProductThatLeavesABoardOutIsRefused) {
  auto spec = manager("19.5");
  spec.product = Product::vgpu;
  const auto host = host_with("580.159.01");
  EXPECT_THAT(messages(planned(spec, host), Note::Severity::error),
              ElementsAre(HasSubstr("product vgpu does not drive NVIDIA A100 PCIe 40GB")));
  spec.product = Product::nvaie;
  EXPECT_THAT(planned(spec, host).notes, IsEmpty());
}

TEST(Driver, OfAnOldReleaseMayLeaveABoardOut) {
  auto spec = manager("12.2");
  spec.product = Product::vgpu;
  const auto seen = planned(spec, host_with("460.73.02"));
  EXPECT_THAT(messages(seen, Note::Severity::error), IsEmpty());
  EXPECT_THAT(messages(seen, Note::Severity::warning),
              ElementsAre(HasSubstr("support of vGPU software 12 ended in 2022-01"),
                          HasSubstr("may not drive NVIDIA A100")));
}

TEST(Driver, NeedNotDriveGpusThatGuestsGetWhole) {
  auto spec = manager("19.5");
  spec.product = Product::vgpu;
  GpuEntry entry;
  entry.selector = GpuSelector{.by = GpuSelector::By::all};
  entry.mode = Located{GpuMode::passthrough, Mark{}};
  EXPECT_THAT(plan(*make_driver(spec, {entry}), host_with("580.159.01"), {}, {}).notes, IsEmpty());
}

TEST(Driver, OfAnUnknownVersionIsSaidToBeUnknown) {
  DriverSpec spec{.flavor = Located{Flavor::vgpu_manager, Mark{}}, .version = text("999.1.1")};
  EXPECT_THAT(messages(planned(spec, host_with("999.1.1")), Note::Severity::warning),
              ElementsAre(HasSubstr("no release of the vGPU software with version 999.1.1 is known")));
}

constexpr std::string_view dpkg_status =
    "Package: nvidia-vgpu-ubuntu-580\nStatus: install ok installed\nVersion: 580.159.01\n\n"
    "Package: nvidia-driver\nStatus: deinstall ok config-files\nVersion: 535.1\nDescription: x\n more\n\n"
    "Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n"
    "Package: nvidia-linux-grid-535\nVersion: 535.2\nStatus: install ok installed\n";

TEST(DriverPackages, AreThoseThatDpkgHasInstalled) {
  EXPECT_THAT(parse_dpkg_status(dpkg_status), ElementsAre(Pair("nvidia-linux-grid-535", "535.2"),
                                                          Pair("nvidia-vgpu-ubuntu-580", "580.159.01")));
}

TEST(DriverPackages, OfTwoDriversConflict) {
  auto host = host_with("580.159.01");
  host.files["/var/lib/dpkg/status"] = std::string(dpkg_status);
  EXPECT_THAT(messages(planned(manager("19.5"), host), Note::Severity::error),
              ElementsAre(HasSubstr("nvidia-vgpu-ubuntu-580 and nvidia-linux-grid-535 are installed")));
}

TEST(DriverPackages, OfRpmAreUnknown) {
  FakeHost host;
  EXPECT_EQ(read_nvidia_packages(host).error().kind, ErrorKind::not_found);
  host.directories.insert("/var/lib/rpm");
  EXPECT_EQ(read_nvidia_packages(host).error().kind, ErrorKind::unsupported);
}

Proposal planned_guest(const GuestDriverSpec& spec, const std::string& host_version, const FakeHost& host,
                       bool has_vgpus = true) {
  return plan(*make_guest_driver({{"qemu:///system", "vm", spec, has_vgpus}}, host_version), host, {}, {});
}

TEST(GuestDriver, MustGoWithTheHosts) {
  const FakeHost host;
  EXPECT_THAT(planned_guest({.release = text("18.6")}, "580.159.01", host).notes, IsEmpty());
  EXPECT_THAT(messages(planned_guest({.release = text("17.6")}, "580.159.01", host), Note::Severity::error),
              ElementsAre(HasSubstr("release 17.6 does not go with the host's, which is of 19.5")));
  EXPECT_THAT(
      messages(planned_guest({.version = text("595.58.03")}, "580.159.01", host), Note::Severity::error),
      ElementsAre(HasSubstr("release 20.0")));
}

TEST(GuestDriver, IsHeldAgainstTheLoadedManagerIfTheDocumentWantsNone) {
  const auto old = planned_guest({.release = text("19.5")}, "", host_with("535.161.05"));
  EXPECT_EQ(messages(old, Note::Severity::error).size(), 1U);
  EXPECT_THAT(planned_guest({.release = text("19.5")}, "", host_with("580.159.01")).notes, IsEmpty());
  EXPECT_THAT(planned_guest({.release = text("19.5")}, "", bare_metal_host()).notes, IsEmpty());
}

TEST(GuestDriver, OfAGuestThatHasAGpuWholeIsAnyDriver) {
  EXPECT_THAT(planned_guest({.release = text("13.0")}, "580.159.01", FakeHost{}, false).notes, IsEmpty());
}

TEST(GuestDriver, IsUnknownWithoutAgent) {
  const auto seen = planned_guest({.version = text("580.159.03")}, "580.159.01", FakeHost{});
  EXPECT_EQ(finding(seen, "vm[vm].guestDriver").verdict, Verdict::unknown);
  EXPECT_THAT(seen.steps, IsEmpty());
}

/// One guest, and what its agent has told.
FakeHost host_with_guest(bool running, const std::string& installed, const std::string& loaded,
                         const std::string& uuid = "ad11b252-bc3b-52d9-ae99-ea462ea626c4") {
  FakeHost host;
  host.guests = {{"vm",
                  {.name = "vm",
                   .uuid = "ad11b252-bc3b-52d9-ae99-ea462ea626c4",
                   .persistent = true,
                   .running = running}}};
  host.files[guest_reports::path] =
      R"({"format_version":1,"guests":[{"connection":"qemu:///system","name":"vm","uuid":")" + uuid +
      R"(","asked":"2026-01-01T12:00:00Z","system":"debian","installed":)" + installed + R"(,"loaded":)" +
      loaded + R"(,"license":null}]})";
  return host;
}

TEST(GuestDriver, IsWhatItsAgentHasTold) {
  const auto verdict = [](const FakeHost& host, const GuestDriverSpec& spec) {
    return finding(planned_guest(spec, "580.159.01", host), "vm[vm].guestDriver").verdict;
  };
  const GuestDriverSpec release{.release = text("19.5")};
  const auto* const good = R"("580.159.03")";
  const auto* const other = R"("570.133.20")";
  EXPECT_EQ(verdict(host_with_guest(true, good, good), release), Verdict::in_sync);
  EXPECT_EQ(verdict(host_with_guest(true, good, good), {.version = text("580.159.03")}), Verdict::in_sync);
  EXPECT_EQ(verdict(host_with_guest(true, good, other), release), Verdict::differs)
      << "what is loaded counts";
  EXPECT_EQ(verdict(host_with_guest(false, good, other), release), Verdict::in_sync)
      << "the next start loads it";
  EXPECT_EQ(verdict(host_with_guest(true, "null", "null"), release), Verdict::differs);
  EXPECT_EQ(verdict(host_with_guest(true, good, R"({"unknown":"guest-exec has been disabled"})"), release),
            Verdict::unknown);
  EXPECT_EQ(verdict(host_with_guest(true, good, good, "00000000-bc3b-52d9-ae99-ea462ea626c4"), release),
            Verdict::unknown)
      << "another guest had the name";
}

TEST(GuestDriver, ThatDiffersIsSaidWithWhatToDo) {
  const auto seen = planned_guest({.release = text("19.5")}, "580.159.01",
                                  host_with_guest(true, R"("580.159.03")", R"("570.133.20")"));
  EXPECT_THAT(messages(seen, Note::Severity::warning),
              ElementsAre(HasSubstr("580.159.03 is installed and loaded when the guest restarts")));
  EXPECT_THAT(seen.steps, IsEmpty());
}

TEST(GuestDriver, OfAnUnknownHostCannotBeTold) {
  EXPECT_THAT(
      messages(planned_guest({.release = text("19.5")}, "999.1", FakeHost{}), Note::Severity::warning),
      ElementsAre(HasSubstr("no release with the vGPU manager 999.1 is known")));
}

}  // namespace
}  // namespace gpuhost::testing
