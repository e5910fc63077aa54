#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpus/gpus.hpp"
#include "kinds/one_pass.hpp"
#include "kinds/vgpu/vgpu.hpp"
#include "kinds/vm_binding/vm_binding.hpp"
#include "support/vgpus.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string stranger = "5b2a8d1c-7f4e-4f35-9b0a-2f6f0f0f0f01";
const std::string other_stranger = "5b2a8d1c-7f4e-4f35-9b0a-2f6f0f0f0f02";
const std::string a100_identity = "10de:20f1/10de:145f GPU-0000:41:00.0";
const std::string a100_8c = "nvidia-470";

using Entries = std::vector<ForGpus<VgpuSpec>>;

Proposal plan(const VgpuHost& host, Entries entries, const Ownership& owned = {}) {
  return testing::plan(*make_vgpu(std::move(entries)), host.fake, owned, {});
}

/// Two vGPUs of the document "doc" on an A100.
struct TwoOwned {
  VgpuHost host;
  Ownership owned;
  TwoOwned() {
    host.add_a100();
    const auto kind = make_vgpu({listing("left", a100, {some("train", "A100-8C", 2)})});
    run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  }
};

TEST(VgpuOwnership, RecordsWhatWasMadeAndWhere) {
  const TwoOwned seen;
  const auto* object = seen.owned.find("doc", "vgpu[" + uuid_of("left/train/1") + "]");
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->before, nullptr);
  EXPECT_EQ(object->applied, Json({{"gpu", a100_identity},
                                   {"name", "train/1"},
                                   {"type", "A100-8C"},
                                   {"parent", "0000:41:00.5"},
                                   {"function", 1}}));
}

TEST(VgpuOwnership, AShrunkCountRemovesTheHighestIndex) {
  TwoOwned seen;
  const Entries entries{listing("left", a100, {some("train", "A100-8C", 1)})};
  const auto proposal = plan(seen.host, entries, seen.owned);
  EXPECT_THAT(titles(proposal), ElementsAre("remove vGPU train/1 (A100-8C) from left"));
  const auto& step = proposal.steps[0];
  EXPECT_EQ(step.action.address, "gpu[left].vgpu[train/1]");
  EXPECT_EQ(step.reason, ActionReason::removed_from_desired);
  EXPECT_EQ(step.gives_back, "vgpu[" + uuid_of("left/train/1") + "]");
  EXPECT_FALSE(step.foreign);
  EXPECT_EQ(step.disruption, Disruption::remove_idle);
  EXPECT_THAT(step.needs, ElementsAre(gpu_facts::idle(*Uuid::parse(uuid_of("left/train/1")))));
  EXPECT_THAT(step.ends, ElementsAre(gpu_facts::present(*Uuid::parse(uuid_of("left/train/1")))));
  EXPECT_EQ(finding(proposal, "gpu[left].vgpus").observed, Json::array({"train/0", "train/1"}));
  run_all(*make_vgpu(entries), proposal, seen.host.fake, seen.owned);
  EXPECT_THAT(seen.host.vgpus(), ElementsAre(uuid_of("left/train/0")));
  EXPECT_EQ(seen.owned.of("doc").size(), 1U);
}

TEST(VgpuOwnership, AShrunkCountIsRefusedWhileAGuestHasTheHighestIndex) {
  TwoOwned seen;
  seen.host.add_guest("by-hand", uuid_of("left/train/1"));
  const Entries entries{listing("left", a100, {some("train", "A100-8C", 1)})};
  Kinds kinds;
  kinds.push_back(make_gpus({entries[0].entry}));
  kinds.push_back(make_vgpu(entries));
  kinds.push_back(make_vm_binding({}, {}));
  Policy policy;
  policy.disruption = Disruption::stop_guests;
  const auto refused = plan_of(kinds, seen.host.fake, policy, seen.owned);
  EXPECT_FALSE(refused.applyable());
  ASSERT_EQ(refused.steps.size(), 1U) << "nobody is stopped for it";
  EXPECT_THAT(refused.steps[0].step.blocked_by, ElementsAre(HasSubstr("in use by VM by-hand")));
  // A guest that is off does not keep it, and is named.
  seen.host.add_guest("by-hand", uuid_of("left/train/1"), false);
  const auto free = plan_of(kinds, seen.host.fake, policy, seen.owned);
  EXPECT_TRUE(free.applyable());
  EXPECT_THAT(free.steps.at(0).step.affects, Contains(Affected{.type = "vm", .name = "by-hand"}));
}

TEST(VgpuOwnership, AnEntryThatIsGoneGivesItsVgpusBack) {
  TwoOwned seen;
  const auto proposal = plan(seen.host, {}, seen.owned);
  ASSERT_EQ(proposal.steps.size(), 2U);
  EXPECT_EQ(proposal.steps[0].action.address.substr(0, 18), "gpu[0000:41:00.0].");
  for (const auto& step : proposal.steps) {
    EXPECT_TRUE(step.gives_back);
    EXPECT_THAT(step.provides, Contains(gpu_facts::without_vgpus(*PciAddress::parse(a100))));
  }
  run_all(*make_vgpu({}), proposal, seen.host.fake, seen.owned);
  EXPECT_THAT(seen.host.vgpus(), IsEmpty());
  EXPECT_TRUE(seen.owned.empty());
}

TEST(VgpuOwnership, AListThatIsGoneGivesBackItsOwnAlone) {
  TwoOwned seen;
  seen.host.add_vgpu(stranger, a100_functions[3], a100_8c);
  const auto proposal = plan(seen.host, {{entry_of("left", a100, GpuMode::vgpu), {}}}, seen.owned);
  ASSERT_EQ(proposal.steps.size(), 2U);
  for (const auto& step : proposal.steps) {
    EXPECT_THAT(step.title, HasSubstr("remove vGPU train/"));
    EXPECT_THAT(step.provides, Not(Contains(gpu_facts::without_vgpus(*PciAddress::parse(a100)))));
  }
}

TEST(VgpuOwnership, WhatARebootTookIsForgottenAndNotMade) {
  TwoOwned seen;
  seen.host.reboot();
  const auto proposal = plan(seen.host, {}, seen.owned);
  ASSERT_EQ(proposal.steps.size(), 2U);
  EXPECT_THAT(proposal.steps[0].title, HasSubstr("forget vGPU train/"));
  run_all(*make_vgpu({}), proposal, seen.host.fake, seen.owned);
  EXPECT_TRUE(seen.owned.empty());
}

TEST(VgpuOwnership, OnAnotherBoardIsLeftWithAWord) {
  TwoOwned seen;
  put_driver_information(seen.host.fake, a100, "GPU-another", 0);
  const auto proposal = plan(seen.host, {}, seen.owned);
  ASSERT_EQ(proposal.notes.size(), 2U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::warning);
  run_all(*make_vgpu({}), proposal, seen.host.fake, seen.owned);
  EXPECT_EQ(seen.host.vgpus().size(), 2U);
  EXPECT_TRUE(seen.owned.empty());
}

TEST(VgpuOwnership, WhatAnAbsentGpuHadIsKeptOnRecord) {
  TwoOwned seen;
  seen.host.reboot();
  std::erase_if(seen.host.fake.files, [](const auto& file) { return file.first.contains(":41:00."); });
  std::erase_if(seen.host.fake.links, [](const auto& link) { return link.first.contains(":41:00."); });
  seen.host.add_m60();
  seen.host.fake.files["/var/lib/gpuhost/identity.json"] =
      R"({"format_version": 1, "gpus": [{"address": "0000:41:00.0", "pci_id": "10de:20f1/10de:145f"}]})";
  auto entry = listing("left", a100, {some("train", "A100-8C", 2)});
  entry.entry.selector->missing = GpuSelector::Missing::skip;
  EXPECT_THAT(plan(seen.host, {entry}, seen.owned).steps, IsEmpty());
}

TEST(VgpuOwnership, AStrangerGoesAsForeignWhileNobodyHasIt) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_8c);
  host.add_guest("cold-01", stranger, false);
  const auto proposal = plan(host, {listing("left", a100, {})});
  ASSERT_EQ(proposal.steps.size(), 1U);
  const auto& step = proposal.steps[0];
  EXPECT_TRUE(step.foreign);
  EXPECT_EQ(step.gives_back, std::nullopt);
  EXPECT_THAT(step.blocked_by, IsEmpty());
  EXPECT_EQ(step.action.address, "gpu[left].vgpu[" + stranger + "]");
  EXPECT_THAT(step.needs, ElementsAre(gpu_facts::idle(*Uuid::parse(stranger))));
  EXPECT_THAT(step.affects,
              ElementsAre(Affected{.type = "gpu", .name = a100}, Affected{.type = "vm", .name = "cold-01"}));
  EXPECT_EQ(finding(proposal, "gpu[left].vgpus").observed, Json::array({stranger + " (A100-8C)"}));
}

TEST(VgpuOwnership, ABusyStrangerBlocksByName) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_8c);
  host.add_guest("busy-01", stranger);
  auto proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(why_blocked(proposal, "remove vGPU " + stranger + " (A100-8C) from left"),
              AllOf(HasSubstr("in use by VM busy-01"), HasSubstr("leave out 'vgpus'")));
  host.fake.guests.reset();
  host.fake.device_holders = {
      {.pid = 4711, .name = "kvm", .cgroup = "/qemu.slice/101.scope", .devices = {"/dev/vfio/48"}}};
  const auto group = host.fake.link_target(mdev_devices + stranger + "/iommu_group").value();
  host.fake.device_holders[0].devices = {"/dev/vfio/" + group.substr(group.rfind('/') + 1)};
  proposal = plan(host, {listing("left", a100, {})});
  EXPECT_THAT(why_blocked(proposal, "remove vGPU " + stranger + " (A100-8C) from left"),
              AllOf(HasSubstr("pid 4711"), HasSubstr("guest 101 of Proxmox VE")));
}

TEST(VgpuOwnership, AStrangerUnderAWantedUuidOfAnotherTypeIsForeignToo) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(uuid_of("left/train/0"), a100_functions[0], "nvidia-468");
  auto proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_TRUE(proposal.steps.at(0).foreign);
  host.add_guest("busy-01", uuid_of("left/train/0"));
  proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(why_blocked(proposal, "remove vGPU train/0 (A100-4C) from left"), HasSubstr("VM busy-01"));
}

TEST(VgpuOwnership, WhatAnotherDocumentOwnsIsAConflict) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_8c);
  Ownership owned;
  owned.claim("other", record("x/0", stranger, "A100-8C", a100_functions[0], 0, a100_identity));
  const auto proposal = plan(host, {listing("left", a100, {})}, owned);
  EXPECT_THAT(proposal.steps, IsEmpty());
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::error);
  EXPECT_THAT(proposal.notes[0].message, HasSubstr("document 'other'"));
}

TEST(VgpuOwnership, AListedVgpuOfAnotherDocumentIsRefused) {
  VgpuHost host;
  host.add_a100();
  Ownership owned;
  owned.claim("other",
              record("x/0", uuid_of("left/train/0"), "A100-8C", a100_functions[0], 0, a100_identity));
  Kinds kinds;
  kinds.push_back(make_vgpu({listing("left", a100, {some("train", "A100-8C")})}));
  const auto whole = plan_of(kinds, host.fake, {}, owned);
  EXPECT_FALSE(whole.applyable());
  EXPECT_THAT(whole.steps.at(0).step.blocked_by, Contains(HasSubstr("belongs to document 'other'")));
}

TEST(VgpuOwnership, WhoseGuestsHaveItCannotBeToldWithoutLibvirt) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_8c);
  const auto proposal = plan(host, {listing("left", a100, {})});
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::info);
  EXPECT_THAT(proposal.notes[0].message, HasSubstr("libvirt cannot be reached"));
}

TEST(VgpuOwnership, DamagedRecordsDoNoHarm) {
  VgpuHost host;
  host.add_a100();
  Ownership owned;
  owned.claim("doc", {"vgpu[no-uuid]", nullptr, nullptr});
  owned.claim("doc", {"vgpu[" + stranger + "]", 1, Json::array({7})});
  owned.claim("doc",
              {"vgpu[" + uuid_of("left/train/0") + "]", nullptr, {{"function", "seven"}, {"params", 3}}});
  const Entries entries{listing("left", a100, {some("train", "A100-8C")})};
  auto proposal = plan(host, entries, owned);
  EXPECT_THAT(titles(proposal), ElementsAre("create vGPU train/0 (A100-8C) on left",
                                            "forget vGPU " + stranger + ", which is gone"));
  EXPECT_EQ(proposal.steps[0].after["parent"], "0000:41:00.4");
  // A record that does not say which GPU it was is no leave to remove what is there.
  host.add_vgpu(stranger, a100_functions[0], a100_8c);
  host.add_guest("busy-01", stranger);
  proposal = plan(host, entries, owned);
  EXPECT_THAT(why_blocked(proposal, "remove vGPU " + stranger + " (A100-8C) from left"),
              HasSubstr("VM busy-01"));
}

}  // namespace
}  // namespace gpuhost::testing
