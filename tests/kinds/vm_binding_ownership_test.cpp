#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/vm_binding/vm_binding.hpp"
#include "support/guests.hpp"
#include "support/ownership_text.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(VmBindingGivesBack, WhatTheDocumentDropsIsGivenBackToTheLetter) {
  auto host = host_with(off("train", "\n    " + vgpu_element));
  host.guests->at("train").autostart = true;
  const auto before = host.guests->at("train").definition;
  auto owned = applied(Document().devices({{whole, "right"}}).autostart(false), host);
  const auto none = make_vm_binding({}, {});
  run_all(*none, plan(*none, host, owned, {}), host, owned);
  EXPECT_EQ(host.guests->at("train").definition, before);
  EXPECT_TRUE(host.guests->at("train").autostart);
  EXPECT_TRUE(owned.empty());
}

TEST(VmBindingGivesBack, WhatSomebodyElseHasChangedIsLeftAsItIs) {
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

TEST(VmBindingGivesBack, ADomainThatIsGoneIsForgotten) {
  auto host = host_with(off("train"));
  auto owned = applied(Document().devices({{whole, "right"}}), host);
  host.guests->clear();
  const auto none = make_vm_binding({}, {});
  run_all(*none, plan(*none, host, owned, {}), host, owned);
  EXPECT_TRUE(owned.empty());
}

/// Whether it may be is for the engine to say, as of every step.
TEST(VmBindingGivesBack, AStartByStoppingTheGuest) {
  auto host = host_with(off("train"));
  const auto owned = applied(Document().state(VmSpec::State::running), host);
  const auto proposal = plan(*make_vm_binding({}, {}), host, owned, {});
  EXPECT_EQ(proposal.steps.at(0).disruption, Disruption::stop_guests);
  EXPECT_THAT(proposal.steps.at(0).affects, ElementsAre(Affected{"vm", "train"}));
}

TEST(VmBindingGivesBack, AManagedDeviceToLibvirt) {
  auto managed = gpu_element;
  managed.replace(managed.find("managed='no'"), 12, "managed='yes'");
  auto host = host_with(off("train", "\n    " + managed));
  const auto before = host.guests->at("train").definition;
  auto owned = applied(Document().devices({{whole, "right"}}), host);
  ASSERT_NE(host.guests->at("train").definition, before);
  const auto none = make_vm_binding({}, {});
  run_all(*none, plan(*none, host, owned, {}), host, owned);
  EXPECT_EQ(host.guests->at("train").definition, before);
}

TEST(VmBindingGivesBack, OneFieldOfAVmThatStaysInTheDocument) {
  auto host = host_with(off("train"));
  auto owned = applied(Document().devices({{whole, "right"}}).state(VmSpec::State::running), host);
  const auto kind = Document().state(VmSpec::State::running).kind();
  const auto proposal = plan(*kind, host, owned, {});
  EXPECT_THAT(titles(proposal), ElementsAre("define VM train with its NVIDIA devices"));
  run_all(*kind, proposal, host, owned);
  EXPECT_EQ(host.guests->at("train").definition, domain_xml("train", ""));
  EXPECT_TRUE(owned.find("doc", "vm[train].state"));
  EXPECT_FALSE(owned.find("doc", "vm[train].devices"));
}

TEST(VmBindingGivesBack, AStartThatNeedsTheDevicesOfTheDefinitionThatComesBack) {
  auto host = host_with(on("train", vgpu_element));
  const Policy policy{.disruption = Disruption::stop_guests};
  const auto owned =
      applied(Document().devices({{whole, "right"}}).state(VmSpec::State::stopped), host, {}, policy);
  ASSERT_FALSE(host.guests->at("train").running);
  const auto proposal = plan(*make_vm_binding({}, {}), host, owned, policy);
  const auto start =
      std::ranges::find(proposal.steps, "start", [](const Step& one) { return one.action.verb; });
  ASSERT_NE(start, proposal.steps.end());
  EXPECT_EQ(start->gives_back, "vm[train].state");
  EXPECT_THAT(start->needs, UnorderedElementsAre(gpu_facts::present(vgpu), gpu_facts::defined("train")));
}

TEST(VmBindingGivesBack, NothingWhileItCannotBeTold) {
  const auto left = [](FakeHost host, const Ownership& owned) {
    const auto proposal = plan(*make_vm_binding({}, {}), host, owned, {});
    EXPECT_THAT(proposal.steps, IsEmpty());
    return proposal.notes.at(0).message;
  };
  auto host = host_with(off("train"));
  const auto owned = applied(Document().devices({{whole, "right"}}), host);
  auto blind = host;
  blind.errors.emplace("/sys/bus/pci/devices", Error{ErrorKind::denied, "may not look at PCI devices"});
  EXPECT_THAT(left(blind, owned), HasSubstr("may not look at PCI devices"));
  auto broken = host;
  broken.guests->at("train").definition = "<domain>";
  EXPECT_THAT(left(broken, owned), HasSubstr("no XML"));
  auto alone = host;
  alone.guests.reset();
  EXPECT_THAT(left(alone, owned), HasSubstr("libvirt cannot be reached"));
}

TEST(VmBindingGivesBack, NothingOfADomainThatIsSomebodyElsesNow) {
  auto host = host_with(off("train"));
  auto owned = applied(Document().devices({{whole, "right"}}), host);
  const auto taken = domain_xml("train", gpu_element, nova);
  host.guests->at("train").definition = taken;
  const auto none = make_vm_binding({}, {});
  run_all(*none, plan(*none, host, owned, {}), host, owned);
  EXPECT_EQ(host.guests->at("train").definition, taken);
  EXPECT_TRUE(owned.empty());
}

TEST(VmBindingGivesBack, NothingFromARecordThatMakesNoSense) {
  for (const Json& before : {Json(), Json(7), Json::array({1}), Json{{"connection", 1}, {"elements", "x"}},
                             Json{{"autostart", "yes"}, {"state", {1}}, {"elements", {"<a", 3}}}}) {
    auto host = host_with(off("train"));
    Ownership owned;
    for (const char* field : {"devices", "autostart", "state"})
      owned.claim("doc", {std::string("vm[train].") + field, before, Json("running")});
    owned.claim("doc", {"vm[].color", before, Json()});
    host.files[Ownership::path] = testing::text_of(owned);
    const auto none = make_vm_binding({}, {});
    const auto proposal = plan(*none, host, owned, {});
    EXPECT_EQ(proposal.steps.size(), 3U);
    for (const auto& step : proposal.steps) EXPECT_THAT(step.actions, ElementsAre("release"));
  }
}

}  // namespace
}  // namespace gpuhost::testing
