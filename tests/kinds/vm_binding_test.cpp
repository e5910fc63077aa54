#include "kinds/vm_binding/vm_binding.hpp"

#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "support/guests.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

TEST(VmBinding, DevicesAreDefinedAndAllElseStays) {
  auto host = host_with(off("train", "\n    <hostdev mode='subsystem' type='usb'/>", "<!-- ours -->"));
  const auto before = host.guests->at("train").definition;
  const auto document = Document().devices({{whole, "right"}, {part, "left/train/0"}});
  const auto proposal = proposal_of(document, host);
  const auto& devices = finding(proposal, "vm[train].devices");
  EXPECT_EQ(devices.verdict, Finding::Verdict::differs);
  EXPECT_EQ(devices.desired, Json({{{"gpu", gpu.to_string()}}, {{"vgpu", vgpu.to_string()}}}));
  EXPECT_EQ(devices.observed, Json::array());
  EXPECT_THAT(titles(proposal), ElementsAre("define VM train with its NVIDIA devices"));
  EXPECT_EQ(proposal.steps[0].disruption, Disruption::none);
  const auto owned = applied(document, host);
  auto expected = before;
  const std::string last = "<hostdev mode='subsystem' type='usb'/>";
  expected.insert(expected.find(last) + last.size(), "\n    " + gpu_element + "\n    " + vgpu_element);
  EXPECT_EQ(host.guests->at("train").definition, expected);
  EXPECT_THAT(proposal_of(document, host, owned).steps, IsEmpty());
}

TEST(VmBinding, TheListIsExhaustiveForNvidiaDevices) {
  const std::string gvt =
      "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address "
      "uuid='00000000-0000-4000-8000-000000000000'/></source></hostdev>";
  const std::string nic =
      "<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='0x07' slot='0x00' "
      "function='0x0'/></source></hostdev>";
  auto host = host_with(off("train", gpu_element + vgpu_element + gvt + nic));
  const auto document = Document().devices({});
  const auto proposal = proposal_of(document, host);
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_THAT(proposal.notes[0].message, HasSubstr("00000000-0000-4000-8000-000000000000"));
  applied(document, host);
  EXPECT_EQ(host.guests->at("train").definition, domain_xml("train", gvt + nic));
}

TEST(VmBinding, WithoutAListDevicesAreNotManaged) {
  const auto host = host_with(off("train", gpu_element));
  const auto proposal = proposal_of(Document(), host);
  EXPECT_THAT(proposal.findings, IsEmpty());
  EXPECT_THAT(proposal.steps, IsEmpty());
}

TEST(VmBinding, CompanionsGoWithTheGpu) {
  auto host = host_with(off("train"));
  auto document = Document().devices({{whole, "right"}});
  document.companions = true;
  applied(document, host);
  EXPECT_THAT(host.guests->at("train").definition, HasSubstr(gpu_element));
  EXPECT_THAT(host.guests->at("train").definition, HasSubstr(audio_element));
}

TEST(VmBinding, AManagedDeviceBecomesOneThatIsNot) {
  auto managed = gpu_element;
  managed.replace(managed.find("managed='no'"), 12, "managed='yes'");
  auto host = host_with(off("train", managed));
  const auto document = Document().devices({{whole, "right"}});
  EXPECT_THAT(proposal_of(document, host).steps.at(0).explanation, HasSubstr("managed='yes'"));
  applied(document, host);
  EXPECT_EQ(host.guests->at("train").definition, domain_xml("train", gpu_element));
}

TEST(VmBinding, ARunningGuestGetsItAtItsNextStart) {
  auto host = host_with(on("train"));
  const auto document = Document().devices({{whole, "right"}});
  const auto owned = applied(document, host);
  EXPECT_EQ(host.guests->at("train").live, domain_xml("train", ""));
  const auto proposal = proposal_of(document, host, owned);
  EXPECT_THAT(proposal.steps, IsEmpty());
  const auto& devices = finding(proposal, "vm[train].devices");
  EXPECT_EQ(devices.verdict, Finding::Verdict::in_sync);
  EXPECT_THAT(devices.reason, HasSubstr("from its next start"));
  ASSERT_EQ(proposal.conditions.size(), 1U);
  EXPECT_EQ(proposal.conditions[0].type, Condition::Type::pending_guest_restart);
  EXPECT_THAT(proposal.conditions[0].message,
              HasSubstr("no NVIDIA device, and 0000:61:00.0 from its next start"));
}

TEST(VmBinding, ARunningGuestIsManagedUntilItsNextStart) {
  auto managed = gpu_element;
  managed.replace(managed.find("managed='no'"), 12, "managed='yes'");
  auto host = host_with(on("train", managed));
  const auto document = Document().devices({{whole, "right"}});
  const auto owned = applied(document, host);
  const auto proposal = proposal_of(document, host, owned);
  EXPECT_THAT(proposal.steps, IsEmpty());
  ASSERT_EQ(proposal.conditions.size(), 1U);
  EXPECT_EQ(proposal.conditions[0].type, Condition::Type::pending_guest_restart);
  EXPECT_THAT(proposal.conditions[0].message,
              HasSubstr("takes 0000:61:00.0 from vfio-pci when the guest stops"));
}

TEST(VmBinding, ASavedGuestGoesOnWithWhatItHad) {
  auto host = host_with(off("train"));
  auto& train = host.guests->at("train");
  train.saved = true;
  train.live = train.definition;
  const auto document = Document().devices({{whole, "right"}});
  const auto owned = applied(document, host);
  const auto proposal = proposal_of(document, host, owned);
  EXPECT_THAT(proposal.steps, IsEmpty());
  ASSERT_EQ(proposal.conditions.size(), 1U);
  EXPECT_THAT(proposal.conditions[0].message, HasSubstr("goes on with no NVIDIA device"));
}

/// A restart in the same plan gives the guest what it waits for.
TEST(VmBinding, ARestartOfThePlanEndsTheWait) {
  auto host = host_with(on("train"));
  const auto proposal = proposal_of(Document().devices({{whole, "right"}}), host);
  ASSERT_EQ(proposal.conditions.size(), 1U);
  EXPECT_EQ(proposal.conditions[0].ended_by, gpu_facts::stopped("train"));
}

TEST(VmBinding, ARunningGuestGetsItLiveWhereAsked) {
  auto host = host_with(on("train", vgpu_element));
  const auto document = Document().devices({{whole, "right"}}).attach(VmSpec::Attach::live);
  const auto proposal = proposal_of(document, host);
  EXPECT_THAT(titles(proposal), UnorderedElementsAre("define VM train with its NVIDIA devices",
                                                     "unplug " + vgpu.to_string() + " from running VM train",
                                                     "plug 0000:61:00.0 into running VM train"));
  for (const auto& step : proposal.steps) {
    if (step.action.verb == "detach") {
      EXPECT_EQ(step.disruption, Disruption::hot_unplug);
      EXPECT_THAT(step.provides, ElementsAre(gpu_facts::without("train", vgpu)));
    }
    if (step.action.verb == "attach") {
      EXPECT_THAT(step.needs, ElementsAre(gpu_facts::bound(gpu, "vfio-pci")));
    }
  }
  const auto owned = applied(document, host);
  EXPECT_THAT(host.guests->at("train").live, HasSubstr(gpu_element));
  EXPECT_FALSE(host.guests->at("train").live.contains(vgpu_element));
  EXPECT_THAT(proposal_of(document, host, owned).steps, IsEmpty());
}

TEST(VmBinding, StateIsKept) {
  auto host = host_with(off("train", gpu_element));
  auto document = Document().state(VmSpec::State::running);
  const auto proposal = proposal_of(document, host);
  ASSERT_EQ(proposal.steps.size(), 1U);
  EXPECT_THAT(proposal.steps[0].needs,
              UnorderedElementsAre(gpu_facts::bound(gpu, "vfio-pci"), gpu_facts::defined("train")));
  applied(document, host);
  EXPECT_TRUE(host.guests->at("train").running);
  document.state(VmSpec::State::stopped);
  EXPECT_EQ(proposal_of(document, host).steps.at(0).disruption, Disruption::stop_guests);
  applied(document, host);
  EXPECT_FALSE(host.guests->at("train").running);
}

TEST(VmBinding, AutostartIsKept) {
  auto host = host_with(off("train"));
  const auto document = Document().autostart(true);
  const auto owned = applied(document, host);
  EXPECT_TRUE(host.guests->at("train").autostart);
  EXPECT_THAT(proposal_of(document, host, owned).steps, IsEmpty());
}

TEST(VmBinding, AGuestThatDoesNotShutDownIsLeftOrEndedAsThePolicySays) {
  auto host = host_with(on("train"));
  host.on_guest_call = [](const std::string& call) -> Result<void> {
    if (call.starts_with("shut_down")) return fail(ErrorKind::timed_out, "still running");
    return {};
  };
  const auto document = Document().state(VmSpec::State::stopped);
  const auto stop = [&](const Policy& policy) {
    const auto kind = document.kind();
    auto whole_host = host.host();
    return kind->run(plan(*kind, host, {}, policy).steps.at(0).action, whole_host);
  };
  Policy policy{.guest_stop_timeout = std::chrono::seconds{7}};
  const auto refused = stop(policy);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("within 7 s"));
  EXPECT_TRUE(host.guests->at("train").running);
  policy.guest_stop_then = Policy::AfterTimeout::destroy;
  EXPECT_TRUE(stop(policy).has_value());
  EXPECT_THAT(host.guest_calls, ElementsAre("shut_down train 7", "shut_down train 7", "destroy train"));
  policy.guest_stop_method = Policy::StopMethod::managed_save;
  host.guests->at("train").running = true;
  EXPECT_TRUE(stop(policy).has_value());
  EXPECT_EQ(host.guest_calls.back(), "managed_save train");
}

TEST(VmBinding, ADomainThatIsNotThereIsRefusedWithTheNamesThereAre) {
  auto host = host_with(off("trains"));
  const auto proposal = proposal_of(Document().devices({}), host);
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::error);
  EXPECT_EQ(proposal.notes[0].advice, "did you mean 'trains'?");
}

TEST(VmBinding, DomainsOfOthersAreRefused) {
  for (auto domain : {off("train", "", nova), on("train", "", nova)}) {
    const auto proposal = proposal_of(Document().devices({{whole, "right"}}), host_with(domain));
    ASSERT_EQ(proposal.notes.size(), 1U);
    EXPECT_THAT(proposal.notes[0].message, HasSubstr("belongs to OpenStack Nova"));
    EXPECT_THAT(proposal.steps, IsEmpty());
  }
  auto transient = on("train");
  transient.persistent = false;
  transient.definition.clear();
  EXPECT_THAT(proposal_of(Document().devices({}), host_with(transient)).notes.at(0).message,
              HasSubstr("is transient"));
}

TEST(VmBinding, WithoutLibvirtItIsUnknown) {
  auto host = host_with(off("train"));
  host.guests.reset();
  const auto proposal = proposal_of(Document().devices({}).state(VmSpec::State::running), host);
  EXPECT_EQ(finding(proposal, "vm[train].devices").verdict, Finding::Verdict::unknown);
  EXPECT_EQ(finding(proposal, "vm[train].state").verdict, Finding::Verdict::unknown);
  EXPECT_THAT(proposal.steps, IsEmpty());
}

TEST(VmBinding, AVmOfAnAbsentGpuIsLeftAloneWhereThatIsAllowed) {
  auto host = host_with(off("train", vgpu_element));
  for (const auto* file : {"/vendor", "/class"}) host.files.erase(pci_devices + gpu.to_string() + file);
  auto document = Document().devices({{whole, "right"}});
  const auto refused = proposal_of(document, host);
  EXPECT_EQ(finding(refused, "vm[train].devices").verdict, Finding::Verdict::unknown);
  document.missing = GpuSelector::Missing::skip;
  const auto skipped = proposal_of(document, host);
  EXPECT_THAT(skipped.steps, IsEmpty());
  ASSERT_EQ(skipped.conditions.size(), 1U);
  EXPECT_EQ(skipped.conditions[0].type, Condition::Type::degraded);
}

TEST(VmBinding, ADefinitionRunTwiceHasEachDeviceOnce) {
  auto fake = host_with(off("train"));
  const auto kind = Document().devices({{whole, "right"}}).kind();
  const auto action = plan(*kind, fake, {}, {}).steps.at(0).action;
  auto host = fake.host();
  ASSERT_TRUE(kind->run(action, host));
  const auto once = fake.guests->at("train").definition;
  ASSERT_TRUE(kind->run(action, host));
  EXPECT_EQ(fake.guests->at("train").definition, once);
}

TEST(VmBinding, SecretsOfTheDefinitionStay) {
  const std::string console = "<graphics type='vnc' passwd='s3cret'/>";
  auto host = host_with(off("train", console));
  ASSERT_THAT(host.domain("qemu:///system", "train")->definition, Not(HasSubstr("s3cret")));
  applied(Document().devices({{whole, "right"}}), host);
  EXPECT_THAT(host.guests->at("train").definition, AllOf(HasSubstr(console), HasSubstr(gpu_element)));
}

TEST(VmBinding, SeveralGpusOfOneEntryAreNumbered) {
  auto host = host_with(off("train"));
  put_function(host, {.address = "0000:62:00.0", .driver = "vfio-pci", .group = 12});
  NamedDevices both{.entry = entry("pair", ""), .companions_too = false, .vgpus = {}};
  both.entry.selector = GpuSelector{.by = GpuSelector::By::pci_id, .value = "10de:20f1"};
  both.entry.selector->expect = 3;
  auto vm = Document().devices({{whole, "pair#1"}, {whole, "pair#2"}}).vm;
  const auto kind = make_vm_binding({vm}, {both});
  EXPECT_EQ(finding(plan(*kind, host, {}, {}), "vm[train].devices").desired,
            Json({{{"gpu", "0000:61:00.0"}}, {{"gpu", "0000:62:00.0"}}}));
}

TEST(VmBinding, TheConnectionIsTheOneThatIsWritten) {
  auto document = Document().devices({{whole, "right"}});
  document.vm.connection = "qemu:///session";
  const auto proposal = proposal_of(document, host_with(off("train")));
  EXPECT_EQ(proposal.steps.at(0).action.arguments["connection"], "qemu:///session");
  EXPECT_EQ(proposal.steps.at(0).claims->before["connection"], "qemu:///session");
}

TEST(VmBinding, WithoutAViewOfTheGpusDevicesAreUnknown) {
  auto host = host_with(off("train", gpu_element));
  host.errors.emplace("/sys/bus/pci/devices", Error{ErrorKind::denied, "may not look at PCI devices"});
  const auto proposal = proposal_of(Document().devices({}).autostart(true), host);
  const auto& devices = finding(proposal, "vm[train].devices");
  EXPECT_EQ(devices.verdict, Finding::Verdict::unknown);
  EXPECT_TRUE(devices.permission);
  EXPECT_THAT(titles(proposal), ElementsAre("start VM train at boot"));
}

TEST(VmBinding, ADefinitionThatCannotBeReadIsUnknown) {
  auto host = host_with(off("train"));
  host.guests->at("train").definition = "<domain><devices></domain>";
  const auto proposal = proposal_of(Document().devices({}).state(VmSpec::State::running), host);
  EXPECT_EQ(finding(proposal, "vm[train].devices").verdict, Finding::Verdict::unknown);
  EXPECT_EQ(finding(proposal, "vm[train].state").verdict, Finding::Verdict::unknown);
  EXPECT_THAT(proposal.steps, IsEmpty());
}

TEST(VmBinding, AGuestThatKeepsItsDeviceFailsTheStep) {
  auto host = host_with(on("train", gpu_element));
  host.on_guest_call = [](const std::string& call) -> Result<void> {
    if (call.starts_with("detach")) return fail(ErrorKind::timed_out, "the guest keeps it");
    return {};
  };
  const auto kind = Document().devices({}).attach(VmSpec::Attach::live).kind();
  const auto proposal = plan(*kind, host, {}, {});
  const auto step =
      std::ranges::find(proposal.steps, "detach", [](const Step& one) { return one.action.verb; });
  ASSERT_NE(step, proposal.steps.end());
  auto whole_host = host.host();
  EXPECT_EQ(kind->run(step->action, whole_host).error().kind, ErrorKind::timed_out);
  EXPECT_FALSE(kind->satisfied(step->action, host.view()).value());
}

TEST(VmBinding, AGuestThatWentOffMeanwhileNeedsNoPlugging) {
  auto host = host_with(on("train"));
  const auto kind = Document().devices({{whole, "right"}}).attach(VmSpec::Attach::live).kind();
  const auto proposal = plan(*kind, host, {}, {});
  host.guests->at("train").running = false;
  host.guests->at("train").live.clear();
  for (const auto& step : proposal.steps)
    if (step.action.verb == "attach") {
      EXPECT_TRUE(kind->satisfied(step.action, host.view()).value());
    }
}

}  // namespace
}  // namespace gpuhost::testing
