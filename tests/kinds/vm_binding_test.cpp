#include "kinds/vm_binding/vm_binding.hpp"

#include <gmock/gmock.h>

#include "engine/planner.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/one_pass.hpp"
#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const PciAddress gpu = *PciAddress::parse("0000:61:00.0");
const PciAddress audio = *PciAddress::parse("0000:61:00.1");
const Uuid vgpu = *Uuid::parse("aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee");
const std::string gpu_element =
    "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' bus='0x61' "
    "slot='0x00' "
    "function='0x0'/></source></hostdev>";
const std::string audio_element =
    "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' bus='0x61' "
    "slot='0x00' "
    "function='0x1'/></source></hostdev>";
const std::string vgpu_element =
    "<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'><source><address "
    "uuid='aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee'/></source></hostdev>";
const std::string nova =
    "<metadata><n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>";

std::string domain_xml(const std::string& name, const std::string& devices, const std::string& rest = {}) {
  return "<domain type='kvm'>\n  <name>" + name + "</name>\n  " + rest +
         "<devices>\n    <emulator>/q</emulator>" + devices + "\n  </devices>\n</domain>\n";
}

Domain off(const std::string& name, const std::string& devices = {}, const std::string& rest = {}) {
  return {.name = name, .persistent = true, .definition = domain_xml(name, devices, rest)};
}

Domain on(const std::string& name, const std::string& devices = {}, const std::string& rest = {}) {
  auto domain = off(name, devices, rest);
  domain.running = true;
  domain.live = domain.definition;
  return domain;
}

/// A GPU on vfio-pci with its audio function, a GPU with a vGPU, and the guest "train".
FakeHost host_with(Domain domain) {
  FakeHost host;
  host.files["/etc/machine-id"] = "4c4f5b1e9d3e4c0fa7b8d2e6513f9a01\n";
  put_function(host, {.address = gpu.to_string(), .driver = "vfio-pci", .group = 11});
  put_function(host,
               {.address = audio.to_string(), .pci_class = "0x040300", .driver = "vfio-pci", .group = 11});
  put_function(host, {.address = "0000:41:00.0"});
  put_mediated_device(host, vgpu.to_string(), "0000:41:00.0", "nvidia-18", "GRID M60-2Q", 44);
  host.guests.emplace();
  host.guests->emplace(domain.name, std::move(domain));
  return host;
}

GpuEntry entry(const std::string& name, const std::string& address) {
  return {.name = Located{name, Mark{}},
          .mark = {},
          .match_mark = {},
          .selector = GpuSelector{.by = GpuSelector::By::address, .value = address},
          .mode = {}};
}

struct Document {
  VmSpec vm{.name = {"train", Mark{}}};
  bool companions = false;
  GpuSelector::Missing missing = GpuSelector::Missing::refuse;

  Document& devices(std::vector<std::pair<VmSpec::Device::Type, std::string>> wanted) {
    vm.devices = Located{std::vector<VmSpec::Device>{}, Mark{}};
    for (auto& [type, name] : wanted) vm.devices->value.push_back({type, {name, Mark{}}});
    return *this;
  }
  Document& state(VmSpec::State wanted) {
    vm.state = Located{wanted, Mark{}};
    return *this;
  }
  Document& attach(VmSpec::Attach wanted) {
    vm.attach = Located{wanted, Mark{}};
    return *this;
  }
  [[nodiscard]] std::unique_ptr<Kind> kind() const {
    std::vector<NamedDevices> named;
    named.push_back({.entry = entry("right", gpu.to_string()), .companions_too = companions, .vgpus = {}});
    named.back().entry.selector->missing = missing;
    named.push_back({.entry = entry("left", "0000:41:00.0"),
                     .companions_too = false,
                     .vgpus = {{.name = "train", .count = 1, .uuids = {vgpu}}, {.name = "new", .count = 2}}});
    return make_vm_binding({vm}, std::move(named));
  }
};

constexpr auto whole = VmSpec::Device::Type::gpu;
constexpr auto part = VmSpec::Device::Type::vgpu;

Proposal proposal_of(const Document& document, const FakeHost& host, const Ownership& owned = {},
                     const Policy& policy = {}) {
  return plan(*document.kind(), host, owned, policy);
}

/// The steps, run, with the record of what they set.
Ownership applied(const Document& document, FakeHost& host, Ownership owned = {}, const Policy& policy = {}) {
  const auto kind = document.kind();
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  host.files[Ownership::path] = owned.serialise();
  return owned;
}

TEST(VmBinding, DevicesAreDefinedAndAllElseStays) {
  auto host = host_with(off("train", "\n    <hostdev mode='subsystem' type='usb'/>", "<!-- ours -->"));
  const auto before = host.guests->at("train").definition;
  const auto document = Document().devices({{whole, "right"}, {part, "left/train/0"}});
  const auto proposal = proposal_of(document, host);
  EXPECT_EQ(finding(proposal, "vm[train].devices").verdict, Finding::Verdict::differs);
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
  EXPECT_EQ(finding(proposal, "vm[train].devices").verdict, Finding::Verdict::in_sync);
  ASSERT_EQ(proposal.conditions.size(), 1U);
  EXPECT_EQ(proposal.conditions[0].type, Condition::Type::pending_guest_restart);
  EXPECT_THAT(proposal.conditions[0].message,
              HasSubstr("no NVIDIA device, and 0000:61:00.0 from its next start"));
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
  Document document;
  document.vm.autostart = Located{true, Mark{}};
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

TEST(VmBinding, WhatTheDocumentDropsIsGivenBackToTheLetter) {
  auto host = host_with(off("train", "\n    " + vgpu_element));
  host.guests->at("train").autostart = true;
  const auto before = host.guests->at("train").definition;
  auto document = Document().devices({{whole, "right"}});
  document.vm.autostart = Located{false, Mark{}};
  auto owned = applied(document, host);
  const auto none = make_vm_binding({}, {});
  run_all(*none, plan(*none, host, owned, {}), host, owned);
  EXPECT_EQ(host.guests->at("train").definition, before);
  EXPECT_TRUE(host.guests->at("train").autostart);
  EXPECT_TRUE(owned.empty());
}

TEST(VmBinding, WhatSomebodyElseHasChangedIsLeftAsItIs) {
  auto host = host_with(off("train"));
  auto owned = applied(Document().devices({{whole, "right"}}), host);
  host.guests->at("train").definition = domain_xml("train", vgpu_element);
  const auto none = make_vm_binding({}, {});
  const auto proposal = plan(*none, host, owned, {});
  ASSERT_EQ(proposal.steps.size(), 1U);
  EXPECT_THAT(proposal.steps[0].actions, ElementsAre("release"));
  run_all(*none, proposal, host, owned);
  EXPECT_EQ(host.guests->at("train").definition, domain_xml("train", vgpu_element));
  EXPECT_TRUE(owned.empty());
}

TEST(VmBinding, ADomainThatIsGoneIsForgotten) {
  auto host = host_with(off("train"));
  auto owned = applied(Document().devices({{whole, "right"}}), host);
  host.guests->clear();
  const auto none = make_vm_binding({}, {});
  run_all(*none, plan(*none, host, owned, {}), host, owned);
  EXPECT_TRUE(owned.empty());
}

TEST(VmBinding, StoppingAGuestAgainstThePolicyIsNoGivingBack) {
  auto host = host_with(off("train"));
  const auto owned = applied(Document().state(VmSpec::State::running), host);
  const auto proposal = plan(*make_vm_binding({}, {}), host, owned, {});
  EXPECT_THAT(proposal.steps, IsEmpty());
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_THAT(proposal.notes[0].message, HasSubstr("stop-guests"));
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

/// A step of another kind that needs the vGPU idle, or ends it.
class Taker final : public Kind {
 public:
  explicit Taker(Step step) : step_(std::move(step)) {}
  struct Nothing final : Observation {
    [[nodiscard]] Json describe() const override { return {}; }
  };
  [[nodiscard]] std::string_view name() const override { return "taker"; }
  [[nodiscard]] std::unique_ptr<const Observation> observe(const HostView&) const override {
    return std::make_unique<Nothing>();
  }
  [[nodiscard]] Proposal plan(const Observation&, const PlanInput&) const override {
    Proposal proposal;
    proposal.steps.push_back(step_);
    return proposal;
  }
  [[nodiscard]] std::optional<Truth> holds(const Fact& fact, const Observation&) const override {
    if (fact == gpu_facts::present(vgpu) || fact.state == "bound to vfio-pci") return Truth::of(true);
    return std::nullopt;
  }
  [[nodiscard]] Result<bool> satisfied(const StepAction&, const HostView&) const override { return false; }
  Result<void> run(const StepAction&, Host&) const override { return {}; }

 private:
  Step step_;
};

Plan plan_with(Step step, std::unique_ptr<Kind> binding, const FakeHost& host) {
  Kinds kinds;
  step.action = {"taker", "take", "taker", Json()};
  kinds.push_back(std::make_unique<Taker>(std::move(step)));
  kinds.push_back(std::move(binding));
  const Ownership owned;
  const Policy policy{.disruption = Disruption::stop_guests};
  return make_plan(kinds, observe_all(kinds, host.view()),
                   {.host = {}, .document = "doc", .document_sha256 = {}, .owned = owned, .policy = policy});
}

std::vector<std::string> titles_of(const Plan& plan) {
  std::vector<std::string> all;
  for (const auto& planned : plan.steps) all.push_back(planned.step.title);
  return all;
}

Step taking(std::vector<Fact> ends = {}) {
  return {.title = "take it", .needs = {gpu_facts::without("train", vgpu)}, .ends = std::move(ends)};
}

TEST(VmBinding, AGuestIsStoppedForAStepAndStartedAgain) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host);
  EXPECT_TRUE(plan.applyable());
  EXPECT_THAT(titles_of(plan), ElementsAre("stop VM train", "take it", "start VM train"));
  EXPECT_THAT(plan.steps[0].step.affects, ElementsAre(Affected{.type = "vm", .name = "train"}));
}

TEST(VmBinding, AGuestWhoseDeviceWouldBeGoneIsNotStopped) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(taking({gpu_facts::present(vgpu)}), make_vm_binding({}, {}), host);
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan.steps.back().step.blocked_by, ElementsAre(HasSubstr("\"take it\" ends that vgpu/")));
}

TEST(VmBinding, UnlessItsNewDefinitionDoesWithoutIt) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan =
      plan_with(taking({gpu_facts::present(vgpu)}), Document().devices({{whole, "right"}}).kind(), host);
  EXPECT_TRUE(plan.applyable()) << titles_of(plan).size();
  const auto all = titles_of(plan);
  const auto at = [&](const std::string& title) { return std::ranges::find(all, title) - all.begin(); };
  EXPECT_LT(at("define VM train with its NVIDIA devices"), at("start VM train"));
}

TEST(VmBinding, AGuestThatTheDocumentStopsStaysOff) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan =
      plan_with(taking({gpu_facts::present(vgpu)}), Document().state(VmSpec::State::stopped).kind(), host);
  EXPECT_TRUE(plan.applyable());
  EXPECT_THAT(titles_of(plan), ElementsAre("stop VM train", "take it"));
}

TEST(VmBinding, GuestsOfOthersAreNeverStopped) {
  const auto host = host_with(on("train", vgpu_element, nova));
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host);
  EXPECT_THAT(titles_of(plan), ElementsAre("take it"));
  EXPECT_THAT(plan.steps[0].step.blocked_by,
              ElementsAre("VM train belongs to OpenStack Nova: stop or migrate it there"));
}

TEST(VmBinding, HotUnplugSparesTheGuestAStop) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(taking(), Document().devices({}).attach(VmSpec::Attach::live).kind(), host);
  const auto all = titles_of(plan);
  EXPECT_EQ(std::ranges::find(all, "stop VM train"), all.end());
  EXPECT_LT(std::ranges::find(all, "unplug " + vgpu.to_string() + " from running VM train"),
            std::ranges::find(all, "take it"));
}

}  // namespace
}  // namespace gpuhost::testing
