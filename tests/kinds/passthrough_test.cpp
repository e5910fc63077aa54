#include "kinds/passthrough/passthrough.hpp"

#include <gmock/gmock.h>

#include "kinds/functions/functions.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpus/gpus.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"
#include "kinds/one_pass.hpp"
#include "kinds/units/units.hpp"
#include "kinds/virtualization/virtualization.hpp"
#include "support/gpu_plans.hpp"
#include "support/ownership_text.hpp"
#include "support/pci_bus.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* left = "0000:41:00.0";
constexpr const char* audio = "0000:41:00.1";
constexpr const char* stranger = "0000:42:00.0";
const PciAddress left_address = *PciAddress::parse(left);

/// A workstation card with its audio function, in one IOMMU group.
struct Desk {
  FakeHost host;
  PciBus bus{host};
  Ownership owned;
  Policy policy;

  Desk() {
    put_function(host, {.address = left});
    put_function(host, {.address = audio, .pci_class = "0x040300", .driver = "snd_hda_intel"});
    host.directories.insert("/sys/class/iommu/dmar0");
    host.loaded_modules = {{"nvidia", {}}, {"vfio_pci", {}}};
    bus.matching = {{left, {"nvidia"}}, {audio, {"snd_hda_intel"}}};
    policy.disruption = Disruption::remove_idle;
  }

  [[nodiscard]] std::string at(const char* file) const { return pci_devices + left + "/" + file; }
  void bind(const char* address, const char* driver) {
    host.links[pci_devices + address + "/driver"] = std::string("../../../bus/pci/drivers/") + driver;
  }
  void free(const char* address) { host.links.erase(pci_devices + address + "/driver"); }
  void hold(const char* program, const char* cgroup) {
    put_driver_information(host, left, "GPU-1", 0);
    host.device_holders = {{4711, program, cgroup, {"/dev/nvidia0"}}};
  }
  [[nodiscard]] static std::unique_ptr<Kind> kind(std::optional<GpuMode> mode) {
    return make_passthrough({entry_of("left", left, mode)});
  }
  [[nodiscard]] Proposal proposal(std::optional<GpuMode> mode) const {
    return plan(*kind(mode), host, owned, policy);
  }
  void apply(std::optional<GpuMode> mode) {
    const auto wanted = kind(mode);
    run_all(*wanted, plan(*wanted, host, owned, policy), host, owned);
    host.files[Ownership::path] = testing::text_of(owned);
  }
  /// A plan in which the other kinds answer too.
  [[nodiscard]] Plan whole(GpuMode mode) const {
    Kinds kinds;
    kinds.push_back(make_kernel_modules({}));
    kinds.push_back(make_units({}));
    kinds.push_back(make_gpus({entry_of("left", left, mode)}));
    kinds.push_back(kind(mode));
    return plan_of(kinds, host, policy, owned);
  }
};

constexpr auto passthrough = GpuMode::passthrough;

std::vector<std::string> blocks(const Proposal& proposal) {
  std::vector<std::string> all;
  for (const auto& step : proposal.steps)
    all.insert(all.end(), step.blocked_by.begin(), step.blocked_by.end());
  return all;
}

TEST(Passthrough, BindsTheGpuAndItsCompanionsByOverride) {
  Desk desk;
  const auto proposal = desk.proposal(passthrough);
  ASSERT_EQ(proposal.steps.size(), 1U);
  const auto& step = proposal.steps[0];
  EXPECT_EQ(step.action.address, "gpu[left].driver");
  EXPECT_EQ(step.title, "bind GPU left (0000:41:00.0) to vfio-pci");
  EXPECT_EQ(step.before, (Json{{left, "nvidia"}, {audio, "snd_hda_intel"}}));
  EXPECT_EQ(step.after, (Json{{left, "vfio-pci"}, {audio, "vfio-pci"}}));
  EXPECT_EQ(step.disruption, Disruption::remove_idle);
  EXPECT_THAT(step.affects, ElementsAre(Affected{"gpu", left}));
  EXPECT_THAT(step.lanes, ElementsAre("gpu/0000:41:00.0"));
  EXPECT_THAT(step.provides, ElementsAre(gpu_facts::bound(left_address, "vfio-pci")));
  EXPECT_THAT(step.ends, ElementsAre(gpu_facts::bound(left_address, "nvidia")));
  EXPECT_THAT(step.needs, ElementsAre(gpu_facts::idle(left_address), Fact{"module/vfio_pci", "loaded"}));
  ASSERT_TRUE(step.claims);
  EXPECT_EQ(step.claims->address, "gpu[0000:41:00.0].driver");

  desk.apply(passthrough);
  EXPECT_EQ(desk.bus.driver_of(left), "vfio-pci");
  EXPECT_EQ(desk.bus.driver_of(audio), "vfio-pci");
  EXPECT_EQ(desk.bus.override_of(left), "vfio-pci");
  EXPECT_THAT(desk.bus.log, ElementsAre("override vfio-pci", "unbind 0000:41:00.0", "probe 0000:41:00.0",
                                        "override vfio-pci", "unbind 0000:41:00.1", "probe 0000:41:00.1"));
  const auto again = desk.proposal(passthrough);
  EXPECT_THAT(again.steps, IsEmpty());
  const auto& found = finding(again, "gpu[left].driver");
  EXPECT_EQ(found.verdict, Finding::Verdict::in_sync);
  EXPECT_EQ(found.observed, "vfio-pci");
  EXPECT_EQ(found.owned_as(), "gpu[0000:41:00.0].driver");
}

TEST(Passthrough, IsInSyncWhoeverBoundIt) {
  Desk desk;
  desk.bind(left, "vfio-pci");
  desk.bind(audio, "vfio-pci");
  const auto seen = desk.proposal(passthrough);
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_THAT(seen.notes, IsEmpty());
  EXPECT_EQ(finding(seen, "gpu[left].driver").verdict, Finding::Verdict::in_sync);
}

TEST(Passthrough, ACompanionLeftBehindIsADifference) {
  Desk desk;
  desk.bind(left, "vfio-pci");
  const auto seen = desk.proposal(passthrough);
  const auto& found = finding(seen, "gpu[left].driver");
  EXPECT_EQ(found.verdict, Finding::Verdict::differs);
  EXPECT_EQ(found.observed, (Json{{left, "vfio-pci"}, {audio, "snd_hda_intel"}}));
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_EQ(seen.steps[0].before, (Json{{audio, "snd_hda_intel"}}));
}

TEST(Passthrough, OfAFunctionThatNobodyHasDisturbsNobody) {
  Desk desk;
  desk.free(left);
  desk.free(audio);
  const auto seen = desk.proposal(passthrough);
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_EQ(seen.steps[0].disruption, Disruption::none);
  EXPECT_EQ(seen.steps[0].before, (Json{{left, nullptr}, {audio, nullptr}}));
}

TEST(Passthrough, OfTheBootDisplayIsRefused) {
  Desk desk;
  desk.host.files[desk.at("class")] = "0x030000\n";
  desk.host.files[desk.at("boot_vga")] = "1\n";
  EXPECT_THAT(blocks(desk.proposal(passthrough)), ElementsAre(HasSubstr("boot display")));
  desk.host.files[desk.at("boot_vga")] = "0\n";
  const auto other = desk.proposal(passthrough);
  EXPECT_THAT(blocks(other), IsEmpty());
  EXPECT_THAT(other.notes, IsEmpty());
}

TEST(Passthrough, WhereTheKernelDoesNotTellOfTheDisplayAVgaControllerWarnsAndWhatCannotBeReadBlocks) {
  Desk desk;
  EXPECT_THAT(desk.proposal(passthrough).notes, IsEmpty()) << "a 3D controller has no console";
  desk.host.files[desk.at("class")] = "0x030000\n";
  const auto absent = desk.proposal(passthrough);
  EXPECT_THAT(blocks(absent), IsEmpty());
  ASSERT_EQ(absent.notes.size(), 1U);
  EXPECT_EQ(absent.notes[0].severity, Note::Severity::warning);
  desk.host.errors[desk.at("boot_vga")] = {ErrorKind::denied, "no permission"};
  EXPECT_THAT(blocks(desk.proposal(passthrough)), ElementsAre(HasSubstr("cannot be told: no permission")));
}

TEST(Passthrough, NeighboursOfAnotherBoardBlockByName) {
  Desk desk;
  put_function(desk.host,
               {.address = stranger, .vendor = "0x8086", .pci_class = "0x020000", .driver = "igb"});
  const auto seen = desk.proposal(passthrough);
  EXPECT_THAT(blocks(seen), ElementsAre(HasSubstr("0000:42:00.0 (on igb); move the GPU to a slot")));
  EXPECT_THAT(blocks(seen).front(), Not(HasSubstr("pcie_acs_override")));
  EXPECT_EQ(finding(seen, "gpu[left].driver").observed[stranger], "igb");
  for (const char* harmless : {"vfio-pci", "pci-stub"}) {
    desk.bind(stranger, harmless);
    EXPECT_THAT(blocks(desk.proposal(passthrough)), IsEmpty()) << harmless;
  }
  desk.free(stranger);
  EXPECT_THAT(blocks(desk.proposal(passthrough)), IsEmpty());
}

TEST(Passthrough, TwoGpusOfOneGroupAreGivenAwayTogether) {
  Desk desk;
  put_function(desk.host, {.address = stranger});
  desk.bus.matching[stranger] = {"nvidia"};
  EXPECT_THAT(blocks(desk.proposal(passthrough)), ElementsAre(HasSubstr("other devices")));
  const auto both =
      make_passthrough({entry_of("left", left, passthrough), entry_of("right", stranger, passthrough)});
  const auto proposal = plan(*both, desk.host, desk.owned, desk.policy);
  EXPECT_THAT(blocks(proposal), IsEmpty());
  ASSERT_EQ(proposal.steps.size(), 2U);
  EXPECT_THAT(proposal.steps[0].needs, Contains(gpu_facts::idle(*PciAddress::parse(stranger))));
  EXPECT_THAT(proposal.steps[0].lanes, ElementsAre("gpu/0000:41:00.0", "gpu/0000:42:00.0"));
  EXPECT_THAT(proposal.steps[0].affects, Contains(Affected{"gpu", stranger}));
  run_all(*both, proposal, desk.host, desk.owned);
  EXPECT_EQ(desk.bus.driver_of(stranger), "vfio-pci");
  EXPECT_THAT(plan(*both, desk.host, desk.owned, desk.policy).steps, IsEmpty());
}

TEST(Passthrough, WithoutIommuLiesBehindTheRebootOrIsBlocked) {
  Desk desk;
  desk.host.directories.erase("/sys/class/iommu/dmar0");
  desk.host.links.erase(desk.at("iommu_group"));
  desk.host.files["/proc/cpuinfo"] = "vendor_id : GenuineIntel\nflags : vmx\n";
  desk.host.files["/proc/cmdline"] = "ro\n";
  desk.host.files["/dev/kvm"] = "";
  desk.host.files["/sys/firmware/acpi/tables/DMAR"] = "";
  const auto step = desk.proposal(passthrough).steps.at(0);
  EXPECT_THAT(step.needs, Contains(Fact{"iommu", "active"}));
  EXPECT_EQ(step.after_unknown, Json::array({"iommu_group"}));

  const auto whole = [&](bool required) {
    Kinds kinds;
    kinds.push_back(make_virtualization({required}));
    kinds.push_back(make_kernel_modules({}));
    kinds.push_back(make_gpus({entry_of("left", left, passthrough)}));
    kinds.push_back(desk.kind(passthrough));
    kinds.push_back(std::make_unique<Answers>(std::set<Fact>{{"kernel_parameter/intel_iommu", "on"}}));
    return plan_of(kinds, desk.host, desk.policy);
  };
  const auto required = whole(true);
  EXPECT_THAT(titles(required), ElementsAre("check that KVM and the IOMMU are usable",
                                            "bind GPU left (0000:41:00.0) to vfio-pci"));
  EXPECT_TRUE(required.applyable());
  const auto ignored = whole(false);
  ASSERT_EQ(ignored.steps.size(), 1U);
  EXPECT_THAT(ignored.steps[0].step.blocked_by, ElementsAre(HasSubstr("virtualization: required")));
}

TEST(Passthrough, OfAGpuThatTheIommuDoesNotCoverIsRefused) {
  Desk desk;
  desk.host.links.erase(desk.at("iommu_group"));
  EXPECT_THAT(blocks(desk.proposal(passthrough)), ElementsAre(HasSubstr("has no group")));
}

TEST(Passthrough, NeedsFunctionsAndVgpusGone) {
  Desk desk;
  put_virtual_functions(desk.host, left, {"0000:41:00.4"}, 20);
  put_mediated_device(desk.host, "11111111-2222-3333-4444-555555555555", "0000:41:00.4", "nvidia-468",
                      "GRID A100-4C", 30);
  const auto step = desk.proposal(passthrough).steps.at(0);
  EXPECT_THAT(step.needs, Contains(gpu_facts::functions_disabled(left_address)));
  EXPECT_THAT(step.needs, Contains(gpu_facts::without_vgpus(left_address)));
}

TEST(Passthrough, ComesAfterItsFunctionsAreDisabledAndItsUnitsStopped) {
  Desk desk;
  put_virtual_functions(desk.host, left, {"0000:41:00.4"}, 20);
  desk.hold("nvidia-persiste", "/system.slice/nvidia-persistenced.service");
  desk.host.units["nvidia-persistenced.service"] = {"loaded", "active", "running", "enabled"};
  desk.host.files["/usr/lib/nvidia/sriov-manage"] = "";
  desk.policy.disruption = Disruption::stop_units;
  const auto entry = entry_of("left", left, passthrough);
  Kinds kinds;
  kinds.push_back(make_kernel_modules({}));
  kinds.push_back(make_units({}));
  kinds.push_back(make_gpus({entry}));
  kinds.push_back(make_functions({{entry, {.enabled = false}}}));
  kinds.push_back(desk.kind(passthrough));
  kinds.push_back(std::make_unique<Answers>(std::set<Fact>{gpu_facts::without_vgpus(left_address)}));
  const auto made = plan_of(kinds, desk.host, desk.policy);
  EXPECT_THAT(
      titles(made),
      ElementsAre("stop unit nvidia-persistenced.service", "disable the virtual functions of GPU left",
                  "bind GPU left (0000:41:00.0) to vfio-pci", "start unit nvidia-persistenced.service"));
  EXPECT_TRUE(made.applyable());
}

TEST(Passthrough, IsRefusedWhileAProcessOfNobodyHoldsTheGpu) {
  Desk desk;
  desk.hold("python3", "/user.slice");
  const auto made = desk.whole(passthrough);
  ASSERT_EQ(made.steps.size(), 1U);
  EXPECT_THAT(made.steps[0].step.blocked_by, ElementsAre(HasSubstr("python3 (pid 4711)")));
}

TEST(Passthrough, NeedsTheModule) {
  Desk desk;
  desk.host.loaded_modules.erase("vfio_pci");
  EXPECT_THAT(desk.whole(passthrough).steps.at(0).step.blocked_by,
              ElementsAre(HasSubstr("add kernel.modules.vfio_pci")));
}

TEST(Passthrough, OfAProtectedGpuIsRefused) {
  Desk desk;
  desk.policy.protected_gpus = {left_address};
  EXPECT_THAT(desk.whole(passthrough).steps.at(0).step.blocked_by, ElementsAre(HasSubstr("is protected")));
}

TEST(Passthrough, NamesWhoPlaysSoundThroughTheBoard) {
  Desk desk;
  desk.host.directories.insert(pci_devices + audio + "/sound/card1");
  const std::string status = "/proc/asound/card1/pcm3p/sub0/status";
  desk.host.files[status] = "closed\n";
  EXPECT_THAT(blocks(desk.proposal(passthrough)), IsEmpty());
  const auto step = desk.proposal(passthrough).steps.at(0);
  desk.host.files[status] = "state: RUNNING\nowner_pid   : 815\n";
  EXPECT_THAT(blocks(desk.proposal(passthrough)), ElementsAre(HasSubstr("pid 815")));
  auto host = desk.host.host();
  const auto ran = desk.kind(passthrough)->run(step.action, host);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::busy);
  EXPECT_EQ(desk.host.writes, 0U);
}

TEST(Passthrough, WritesNothingWhenSomebodyCameBetween) {
  Desk desk;
  const auto step = desk.proposal(passthrough).steps.at(0);
  desk.hold("python3", "/user.slice");
  auto host = desk.host.host();
  const auto kind = desk.kind(passthrough);
  auto ran = kind->run(step.action, host);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::busy);
  desk.host.device_holders.clear();
  desk.host.processes_error = Error{ErrorKind::denied, "only root can tell"};
  ran = kind->run(step.action, host);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::denied);
  EXPECT_EQ(desk.host.writes, 0U);
}

TEST(Passthrough, GoesOnWhereverItWasCutOff) {
  for (unsigned writes = 0; writes < 6; ++writes) {
    Desk desk;
    const auto kind = desk.kind(passthrough);
    const auto step = desk.proposal(passthrough).steps.at(0);
    auto host = desk.host.host();
    desk.bus.writes_left = writes;
    EXPECT_FALSE(kind->run(step.action, host)) << writes;
    EXPECT_EQ(kind->satisfied(step.action, host.view), false) << writes;
    desk.bus.writes_left = 1000;
    EXPECT_TRUE(kind->run(step.action, host)) << writes;
    EXPECT_EQ(kind->satisfied(step.action, host.view), true) << writes;
    EXPECT_THAT(desk.proposal(passthrough).steps, IsEmpty()) << writes;
  }
}

TEST(Passthrough, NamesTheDriverThatRefused) {
  Desk desk;
  desk.bus.refusing = {"vfio-pci"};
  auto host = desk.host.host();
  const auto ran = desk.kind(passthrough)->run(desk.proposal(passthrough).steps.at(0).action, host);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().message, "driver vfio-pci refused 0000:41:00.0, which has no driver now");
}

TEST(Passthrough, StepsFromElsewhereAreCheckedBeforeTheyRun) {
  Desk desk;
  auto host = desk.host.host();
  const auto kind = desk.kind(passthrough);
  for (const Json& arguments :
       {Json(), Json::object(), Json{{"functions", 7}}, Json{{"functions", {{left, {{"driver", "../x"}}}}}},
        Json{{"functions", {{"nowhere", {{"driver", "nvidia"}, {"override", ""}}}}}}}) {
    const StepAction action{"passthrough", "bind", "gpu[left].driver", arguments};
    EXPECT_FALSE(kind->satisfied(action, host.view)) << arguments;
    EXPECT_FALSE(kind->run(action, host)) << arguments;
  }
  EXPECT_FALSE(kind->run({"passthrough", "burn", "gpu[left].driver", {}}, host));
  EXPECT_EQ(desk.host.writes, 0U);
}

TEST(Passthrough, IsGivenBackToTheFormerDrivers) {
  Desk desk;
  desk.apply(passthrough);
  const auto back = desk.proposal({});
  ASSERT_EQ(back.steps.size(), 1U);
  EXPECT_EQ(back.steps[0].title, "give GPU 0000:41:00.0 back to nvidia");
  EXPECT_EQ(back.steps[0].disruption, Disruption::none);
  EXPECT_THAT(back.steps[0].needs, ElementsAre(gpu_facts::idle(left_address)));
  EXPECT_EQ(back.steps[0].reason, ActionReason::removed_from_desired);
  desk.apply({});
  EXPECT_EQ(desk.bus.driver_of(left), "nvidia");
  EXPECT_EQ(desk.bus.driver_of(audio), "snd_hda_intel");
  EXPECT_EQ(desk.bus.override_of(left), "");
  EXPECT_EQ(desk.bus.override_of(audio), "");
  EXPECT_TRUE(desk.owned.empty());
}

TEST(Passthrough, OfAFormerDriverThatIsGoneLeavesTheFunctionFree) {
  Desk desk;
  desk.apply(passthrough);
  desk.host.directories.erase("/sys/bus/pci/drivers/nvidia");
  desk.apply({});
  EXPECT_EQ(desk.bus.driver_of(left), "");
  EXPECT_EQ(desk.bus.driver_of(audio), "snd_hda_intel");
  EXPECT_TRUE(desk.owned.empty());
}

TEST(Passthrough, IsOnlyForgottenWhereItCannotBeGivenBack) {
  const auto left_as_it_is = [](const std::function<void(Desk&)>& change, const char* why) {
    Desk desk;
    desk.apply(passthrough);
    change(desk);
    const auto seen = desk.proposal({});
    ASSERT_EQ(seen.notes.size(), 1U) << why;
    EXPECT_THAT(seen.notes[0].message, HasSubstr(why));
    const auto writes = desk.host.writes;
    desk.apply({});
    EXPECT_TRUE(desk.owned.empty()) << why;
    EXPECT_EQ(desk.host.writes, writes) << why;
  };
  left_as_it_is([](Desk& desk) { desk.host.files[desk.at("device")] = "0x2235\n"; }, "another GPU");
  left_as_it_is(
      [](Desk& desk) {
        std::erase_if(desk.host.files,
                      [](const auto& file) { return file.first.starts_with(pci_devices + left); });
      },
      "not there any more");
  left_as_it_is([](Desk& desk) { put_virtual_functions(desk.host, left, {"0000:41:00.4"}, 20); },
                "virtual functions that gpuhost did not enable");
}

TEST(Passthrough, GivenBackNeedsTheGpuIdle) {
  Desk desk;
  desk.apply(passthrough);
  desk.host.device_holders = {{9, "qemu-system-x86", "/", {"/dev/vfio/10"}}};
  const auto seen = desk.proposal({});
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_THAT(seen.steps[0].needs, Contains(gpu_facts::idle(left_address)));
}

TEST(Passthrough, StaysOwnedWhileItCannotBeToldWhoUsesIt) {
  Desk desk;
  desk.apply(passthrough);
  desk.host.processes_error = Error{ErrorKind::denied, "only root can tell"};
  const auto seen = desk.proposal({});
  EXPECT_THAT(seen.steps, IsEmpty());
  ASSERT_EQ(seen.notes.size(), 1U);
  EXPECT_THAT(seen.notes[0].message, HasSubstr("only root can tell"));
}

TEST(Passthrough, StaysOwnedWhileTheSelectorCannotBeTold) {
  Desk desk;
  desk.apply(passthrough);
  auto entry = entry_of("left", left, passthrough);
  entry.selector = GpuSelector{.by = GpuSelector::By::uuid, .value = "11111111"};
  const auto seen = plan(*make_passthrough({entry}), desk.host, desk.owned, desk.policy);
  EXPECT_THAT(seen.steps, IsEmpty());
}

TEST(Passthrough, TakingFromAHostDriverToGiveBackNeedsThePolicy) {
  Desk desk;
  desk.bind(left, "vfio-pci");
  desk.free(audio);
  desk.apply(GpuMode::vgpu);
  EXPECT_EQ(desk.bus.driver_of(left), "nvidia");
  EXPECT_EQ(desk.proposal({}).steps.at(0).disruption, Disruption::remove_idle);
  desk.apply({});
  EXPECT_EQ(desk.bus.driver_of(left), "vfio-pci");
}

TEST(Passthrough, ChangedToAnotherModeReturnsTheCompanionsToo) {
  Desk desk;
  desk.apply(passthrough);
  const auto step = desk.proposal(GpuMode::vgpu).steps.at(0);
  EXPECT_EQ(step.after, (Json{{left, "nvidia"}, {audio, "snd_hda_intel"}}));
  EXPECT_THAT(step.needs, ElementsAre(gpu_facts::idle(left_address), Fact{"module/nvidia", "loaded"}));
  EXPECT_THAT(step.provides, ElementsAre(gpu_facts::bound(left_address, "nvidia")));
  EXPECT_THAT(step.ends, ElementsAre(gpu_facts::bound(left_address, "vfio-pci")));
  EXPECT_EQ(step.disruption, Disruption::none);
  desk.apply(GpuMode::vgpu);
  EXPECT_EQ(desk.bus.driver_of(left), "nvidia");
  EXPECT_EQ(desk.bus.override_of(left), "") << "sriov-manage binds another driver for a moment";
  EXPECT_EQ(desk.bus.driver_of(audio), "snd_hda_intel");
  EXPECT_THAT(desk.proposal(GpuMode::vgpu).steps, IsEmpty());
}

TEST(Passthrough, ForNvidiaIsSureOfItsDriverWhereTwoMatch) {
  Desk desk;
  desk.bind(left, "vfio-pci");
  desk.bind(audio, "vfio-pci");
  desk.bus.matching[left] = {"vfio-pci", "nvidia"};
  const auto seen = desk.proposal(GpuMode::bare_metal);
  ASSERT_EQ(seen.notes.size(), 1U);
  EXPECT_THAT(seen.notes[0].advice, HasSubstr("take 10de:20f1 from the option ids"));
  desk.apply(GpuMode::bare_metal);
  EXPECT_EQ(desk.bus.driver_of(left), "nvidia");
  EXPECT_EQ(desk.bus.driver_of(audio), "vfio-pci") << "gpuhost did not take it";
}

TEST(Passthrough, ForNvidiaAnOverrideForAnotherIsADifference) {
  Desk desk;
  desk.host.files[desk.at("driver_override")] = "vfio-pci\n";
  desk.apply(GpuMode::vgpu);
  EXPECT_THAT(desk.bus.log, ElementsAre("override none"));
  EXPECT_THAT(desk.proposal(GpuMode::vgpu).steps, IsEmpty());
}

TEST(Passthrough, OfAFunctionThatCannotBeReadIsUnknownAndBlocksWhatRestsOnIt) {
  for (const char* function : {left, audio}) {
    Desk desk;
    desk.host.errors.emplace(pci_devices + function + "/driver", Error{ErrorKind::io, "input/output error"});
    const auto seen = desk.proposal(passthrough);
    EXPECT_THAT(seen.steps, IsEmpty());
    EXPECT_EQ(finding(seen, "gpu[left].driver").verdict, Finding::Verdict::unknown);
    EXPECT_EQ(finding(seen, "gpu[left].driver").reason, "input/output error");
    const auto wanted = Desk::kind(passthrough);
    const auto fact =
        wanted->holds(gpu_facts::bound(left_address, "vfio-pci"), *wanted->observe(desk.host.view()));
    ASSERT_TRUE(fact);
    EXPECT_EQ(fact->value, Truth::Value::unknown);
  }
}

/// A guest that is off would not find it when it starts.
TEST(Passthrough, TakenFromVfioListsTheGuestsThatNameIt) {
  Desk desk;
  desk.bind(left, "vfio-pci");
  desk.bind(audio, "vfio-pci");
  const std::string element =
      "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' bus='0x41' "
      "slot='0x00' function='0x1'/></source></hostdev>";
  desk.host.guests.emplace();
  (*desk.host.guests)["cad"] = {
      .name = "cad",
      .persistent = true,
      .definition = "<domain><name>cad</name><devices>" + element + "</devices></domain>"};
  EXPECT_THAT(desk.proposal(GpuMode::vgpu).steps.at(0).affects,
              ElementsAre(Affected{"gpu", left}, Affected{"vm", "cad"}));
  desk.bind(left, "nvidia");
  EXPECT_THAT(desk.proposal(passthrough).steps.at(0).affects, ElementsAre(Affected{"gpu", left}));
}

TEST(Passthrough, ForNvidiaNeverTakesTheGpuFromAnotherDriver) {
  Desk desk;
  desk.bind(left, "nouveau");
  for (const auto mode : {GpuMode::vgpu, GpuMode::bare_metal})
    EXPECT_THAT(desk.proposal(mode).steps.at(0).needs, Contains(Fact{"module/nouveau", "unloaded"}));
  EXPECT_THAT(blocks(desk.proposal(passthrough)), IsEmpty());
  desk.bind(left, "xen-pciback");
  EXPECT_THAT(blocks(desk.proposal(GpuMode::vgpu)), ElementsAre(HasSubstr("xen-pciback")));
  desk.free(left);
  EXPECT_THAT(blocks(desk.proposal(GpuMode::vgpu)), IsEmpty());
}

TEST(Passthrough, TellsToWhichDriverAGpuIsBound) {
  Desk desk;
  const auto told = [&](const char* driver) {
    const auto kind = desk.kind({});
    return kind->holds(gpu_facts::bound(left_address, driver), *kind->observe(desk.host.view()))->value;
  };
  EXPECT_EQ(told("nvidia"), Truth::Value::yes);
  EXPECT_EQ(told("vfio-pci"), Truth::Value::no);
  desk.bind(left, "vfio-pci");
  EXPECT_EQ(told("vfio-pci"), Truth::Value::no) << "audio keeps the group from a guest";
  desk.free(audio);
  EXPECT_EQ(told("vfio-pci"), Truth::Value::yes);
  desk.host.errors["/sys/bus/pci/devices"] = {ErrorKind::denied, "denied"};
  EXPECT_EQ(told("nvidia"), Truth::Value::unknown);
  desk.host.running = false;
  EXPECT_EQ(told("nvidia"), Truth::Value::unknown);
  const auto kind = desk.kind({});
  EXPECT_FALSE(kind->holds(gpu_facts::idle(left_address), *kind->observe(desk.host.view())));
  EXPECT_THAT(kind->advice(gpu_facts::bound(left_address, "nvidia")), HasSubstr("mode: vgpu"));
  EXPECT_THAT(kind->advice(gpu_facts::bound(left_address, "vfio-pci")), HasSubstr("mode: passthrough"));
  EXPECT_EQ(kind->advice(gpu_facts::idle(left_address)), "");
}

TEST(Passthrough, SaysNothingOfGpusWithoutModeOrOfAHostThatDoesNotRun) {
  Desk desk;
  EXPECT_THAT(desk.proposal({}).findings, IsEmpty());
  desk.host.running = false;
  EXPECT_THAT(desk.proposal(passthrough).findings, IsEmpty());
}

TEST(Passthrough, DescribesTheDriversOfTheGroup) {
  Desk desk;
  const auto shown = desk.kind({})->observe(desk.host.view())->describe();
  EXPECT_EQ(shown[left][audio]["driver"], "snd_hda_intel");
}

}  // namespace
}  // namespace gpuhost::testing
