#include "engine/planner.hpp"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/toy.hpp"
#include "support/ownership_text.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Fact driver_loaded{"module/nvidia", "loaded"};
const Fact driver_unused{"module/nvidia", "unused"};
const Fact driver_unloaded{"module/nvidia", "unloaded"};
const Fact new_driver{"driver/580", "installed"};
const Fact vgpu_there{"vgpu/a", "present"};
const Fact vm_off{"vm/train", "off"};
const Fact vm_on{"vm/train", "running"};

/// A document that wants driver 580 on a host where a guest runs on a vGPU of the old one.
void upgrade_under_live_vgpus(ToyBench& bench) {
  bench.world->facts = {driver_loaded, vgpu_there, vm_on};
  bench.desired.policy.disruption = Disruption::reload_driver;
  bench.kind("module");
  auto& driver = bench.kind("driver");
  auto& vgpu = bench.kind("vgpu");
  auto& vm = bench.kind("vm");
  driver.steps = [](const ToyKind::Facts& seen) -> std::vector<Step> {
    if (seen.contains(new_driver)) return {};
    return {{.title = "unload nvidia",
             .needs = {driver_unused},
             .provides = {driver_unloaded},
             .ends = {driver_loaded},
             .disruption = Disruption::reload_driver},
            {.title = "install 580", .needs = {driver_unloaded}, .provides = {new_driver}},
            {.title = "load nvidia",
             .needs = {new_driver},
             .provides = {driver_loaded},
             .ends = {driver_unloaded}}};
  };
  vgpu.offers = [](const Fact& fact) -> std::vector<Offer> {
    if (fact != driver_unused) return {};
    return {{.needs = {vm_off},
             .acquire = Step{.title = "remove vgpu a",
                             .needs_now = {driver_loaded},
                             .provides = {driver_unused},
                             .ends = {vgpu_there}},
             .release = Step{.title = "create vgpu a", .needs = {driver_loaded}, .provides = {vgpu_there}}}};
  };
  vm.offers = [](const Fact& fact) -> std::vector<Offer> {
    if (fact != vm_off) return {};
    return {{.needs = {},
             .acquire = Step{.title = "stop train",
                             .provides = {vm_off},
                             .ends = {vm_on},
                             .disruption = Disruption::stop_guests,
                             .affects = {{"vm", "train"}}},
             .release =
                 Step{.title = "start train", .needs = {vgpu_there}, .provides = {vm_on}, .ends = {vm_off}}}};
  };
}

TEST(Planner, UpgradesADriverUnderLiveVgpusWithoutACycle) {
  ToyBench bench;
  upgrade_under_live_vgpus(bench);
  const Plan plan = bench.plan();
  EXPECT_TRUE(plan.applyable());
  EXPECT_THAT(titles(plan), ElementsAre("stop train", "remove vgpu a", "unload nvidia", "install 580",
                                        "load nvidia", "create vgpu a", "start train"));
}

TEST(Planner, ARunOfThatPlanLeavesGuestAndVgpuAsTheyWere) {
  ToyBench bench;
  upgrade_under_live_vgpus(bench);
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::converged);
  EXPECT_TRUE(bench.world->has(vm_on));
  EXPECT_TRUE(bench.world->has(vgpu_there));
  EXPECT_TRUE(bench.world->has(new_driver));
  EXPECT_TRUE(bench.plan().empty());
}

TEST(Planner, RefusesWhatThePolicyDoesNotAllowAndNamesWhomItHits) {
  ToyBench bench;
  upgrade_under_live_vgpus(bench);
  bench.desired.policy.disruption = Disruption::none;
  const Plan plan = bench.plan();
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(
      step_named(plan, "stop train").step.blocked_by,
      ElementsAre(::testing::AllOf(HasSubstr("stop-guests"), HasSubstr("vm train"), HasSubstr("none"))));
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::refused);
  EXPECT_THAT(bench.world->log, IsEmpty());
}

TEST(Planner, AProtectedGuestIsNeverStopped) {
  ToyBench bench;
  upgrade_under_live_vgpus(bench);
  bench.desired.policy.protected_vms = {"train"};
  EXPECT_THAT(step_named(bench.plan(), "stop train").step.blocked_by,
              ElementsAre(HasSubstr("VM train is protected")));
}

TEST(Planner, NoDocumentDoesMoreThanTheHostAllows) {
  ToyBench bench;
  upgrade_under_live_vgpus(bench);
  bench.desired.policy.hold_below({.disruption = Disruption::stop_units, .protected_vms = {"train"}});
  EXPECT_EQ(bench.plan().allowed, Disruption::stop_units);
  EXPECT_THAT(step_named(bench.plan(), "stop train").step.blocked_by,
              ElementsAre(HasSubstr("local.yaml of this host lets no document do more than stop-units"),
                          HasSubstr("VM train is protected by /etc/gpuhost/local.yaml")));
}

TEST(Planner, StopsNothingThatCouldNotBeStartedAgain) {
  ToyBench bench;
  upgrade_under_live_vgpus(bench);
  auto& vgpu = dynamic_cast<ToyKind&>(*bench.desired.kinds[2]);
  vgpu.offers = [](const Fact& fact) -> std::vector<Offer> {
    if (fact != driver_unused) return {};
    return {{.needs = {vm_off},
             .acquire = Step{.title = "remove vgpu a", .provides = {driver_unused}, .ends = {vgpu_there}},
             .release = Step{.title = "forget vgpu a"}}};
  };
  const Plan plan = bench.plan();
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(step_named(plan, "start train").step.blocked_by,
              ElementsAre(HasSubstr("it is no longer so that vgpu a is present")));
  EXPECT_THAT(step_named(plan, "stop train").step.blocked_by, ElementsAre(HasSubstr("start train")));
}

/// Two steps that both need the unit stopped.
void two_users_of_one_holder(ToyBench& bench) {
  bench.desired.policy.disruption = Disruption::stop_units;
  bench.world->facts = {{"unit/dcgm", "active"}};
  auto& gpu = bench.kind("gpu");
  auto& unit = bench.kind("unit");
  gpu.steps = [](const ToyKind::Facts& seen) {
    std::vector<Step> steps;
    for (const std::string name : {"a", "b"})
      if (!seen.contains({"gpu/" + name, "reset"}))
        steps.push_back({.title = "reset " + name,
                         .needs = {{"gpu/" + name, "idle"}},
                         .provides = {{"gpu/" + name, "reset"}}});
    return steps;
  };
  gpu.offers = [](const Fact& fact) -> std::vector<Offer> {
    if (fact.state != "idle") return {};
    return {{.needs = {{"unit/dcgm", "inactive"}}}};
  };
  unit.offers = [](const Fact& fact) -> std::vector<Offer> {
    if (fact != Fact{"unit/dcgm", "inactive"}) return {};
    return {{.needs = {},
             .acquire = Step{.title = "stop dcgm",
                             .provides = {fact},
                             .ends = {{"unit/dcgm", "active"}},
                             .disruption = Disruption::stop_units},
             .release = Step{.title = "start dcgm", .provides = {{"unit/dcgm", "active"}}, .ends = {fact}}}};
  };
}

TEST(Planner, AHolderIsStoppedOnceForTwoUsersAndStartedOnce) {
  ToyBench bench;
  two_users_of_one_holder(bench);
  EXPECT_THAT(titles(bench.plan()), ElementsAre("stop dcgm", "reset a", "reset b", "start dcgm"));
  ASSERT_TRUE(bench.run().has_value());
  EXPECT_THAT(bench.world->log, ElementsAre("stop dcgm", "reset a", "reset b", "start dcgm"));
}

TEST(Planner, AHolderIsStartedAgainAlsoAfterAFailure) {
  ToyBench bench;
  two_users_of_one_holder(bench);
  bench.world->failing["reset a"] = {ErrorKind::io, "the reset failed"};
  const auto report = bench.run({.executor = {.workers = 1}, .rollback = false});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_THAT(bench.world->log, ElementsAre("stop dcgm", "reset a", "start dcgm"));
  EXPECT_TRUE(bench.world->has({"unit/dcgm", "active"}));
}

TEST(Planner, WhatIsWantedOfEachOtherIsExchangedWhileBothAreDown) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::stop_guests;
  bench.kind("x").steps =
      until_there({toy("take a", {{"vm/b", "without a"}, {"vm/a", "down"}}, {"x/1", "up"}),
                   toy("take b", {{"vm/a", "without b"}, {"vm/b", "down"}}, {"x/2", "up"})});
  bench.kind("vm").offers = [](const Fact& fact) -> std::vector<Offer> {
    const auto name = fact.subject.substr(3);
    return {{.needs = {},
             .acquire = Step{.title = "stop " + name, .provides = {{fact.subject, "down"}, fact}},
             .release = Step{.title = "start " + name, .ends = {{fact.subject, "down"}}}}};
  };
  const auto plan = bench.plan();
  EXPECT_TRUE(plan.applyable());
  EXPECT_THAT(titles(plan), ElementsAre("stop a", "stop b", "take a", "take b", "start a", "start b"));
}

TEST(Planner, TakesTheMildestOfSeveralWays) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::reboot;
  bench.world->facts = {};
  bench.kind("x").steps = [](const auto&) {
    return std::vector<Step>{{.title = "work", .needs = {{"door", "open"}}, .provides = {{"x/1", "done"}}}};
  };
  const auto way = [](std::string title, Disruption level, std::vector<Affected> affects) {
    return Offer{.needs = {},
                 .acquire = Step{.title = "open " + title,
                                 .provides = {{"door", "open"}},
                                 .disruption = level,
                                 .affects = std::move(affects)},
                 .release = Step{.title = "close " + title, .ends = {{"door", "open"}}}};
  };
  bench.kind("y").offers = [way](const Fact& fact) -> std::vector<Offer> {
    if (fact.subject != "door") return {};
    return {way("with guests", Disruption::stop_guests, {}),
            way("two units", Disruption::stop_units, {{"unit", "a"}, {"unit", "b"}}),
            way("one unit", Disruption::stop_units, {{"unit", "a"}})};
  };
  EXPECT_THAT(titles(bench.plan()), ElementsAre("open one unit", "work", "close one unit"));
}

TEST(Planner, NamesACycle) {
  ToyBench bench;
  bench.kind("x").steps = [](const auto&) {
    return std::vector<Step>{
        {.title = "egg", .needs = {{"x/hen", "there"}}, .provides = {{"x/egg", "there"}}},
        {.title = "hen", .needs = {{"x/egg", "there"}}, .provides = {{"x/hen", "there"}}},
        {.title = "omelette", .needs = {{"x/egg", "there"}}}};
  };
  const Plan plan = bench.plan();
  EXPECT_THAT(step_named(plan, "egg").step.blocked_by, ElementsAre(HasSubstr("egg -> hen -> egg")));
  EXPECT_FALSE(step_named(plan, "omelette").step.blocked_by.empty());
  EXPECT_EQ(plan.steps.size(), 3U);
}

TEST(Planner, NamesANeedThatNothingMeetsWithWhatToDo) {
  ToyBench bench;
  auto& kind = bench.kind("module");
  kind.hint = "add kernel.modules.vfio-pci";
  kind.steps = [](const auto&) {
    return std::vector<Step>{{.title = "bind", .needs = {{"module/vfio_pci", "loaded"}}},
                             {.title = "attach", .needs_now = {{"module/kvm", "loaded"}}}};
  };
  const Plan plan = bench.plan();
  EXPECT_THAT(step_named(plan, "bind").step.blocked_by,
              ElementsAre("it needs that module vfio_pci is loaded, and nothing makes it so; add "
                          "kernel.modules.vfio-pci"));
  EXPECT_THAT(step_named(plan, "attach").step.blocked_by, ElementsAre(HasSubstr("it is not so")));
}

/// Of a GPU that is held by two, the one who can be stopped is no reason.
TEST(Planner, NamesWhatLiesAtTheBottomOfANeed) {
  ToyBench bench;
  auto& gpu = bench.kind("gpu");
  gpu.steps = [](const auto&) { return std::vector<Step>{{.title = "bind", .needs = {{"gpu/1", "idle"}}}}; };
  gpu.offers = [](const Fact& fact) {
    if (fact != Fact{"gpu/1", "idle"}) return std::vector<Offer>{};
    return std::vector<Offer>{{.needs = {{"unit/x", "inactive"}, {"vm/nova", "stopped"}}}};
  };
  auto& unit = bench.kind("unit");
  unit.offers = [](const Fact& fact) {
    if (fact.subject != "unit/x") return std::vector<Offer>{};
    return std::vector<Offer>{{.acquire = Step{.title = "stop", .provides = {fact}},
                               .release = Step{.title = "start", .ends = {fact}}}};
  };
  bench.kind("vm").hint = "nova belongs to somebody else";
  const auto plan = bench.plan();
  EXPECT_THAT(step_named(plan, "bind").step.blocked_by,
              ElementsAre("it needs that vm nova is stopped, and nothing makes it so; nova belongs to "
                          "somebody else"));
}

TEST(Planner, AnObstacleIsToldInPlaceOfAdvice) {
  ToyBench bench;
  auto& gpu = bench.kind("gpu");
  gpu.steps = [](const auto&) { return std::vector<Step>{{.title = "bind", .needs = {{"gpu/1", "idle"}}}}; };
  gpu.hint = "advice";
  gpu.obstacles[{"gpu/1", "idle"}] = "python3 (pid 4711) holds it";
  EXPECT_THAT(step_named(bench.plan(), "bind").step.blocked_by, ElementsAre("python3 (pid 4711) holds it"));
}

TEST(Planner, AnUnknownFactBlocksWhatRestsOnIt) {
  ToyBench bench;
  auto& kind = bench.kind("gpu");
  kind.unknown[{"gpu/a", "idle"}] = "no permission to read it";
  kind.steps = [](const auto&) {
    return std::vector<Step>{
        {.title = "reset", .needs = {{"gpu/a", "idle"}}, .provides = {{"gpu/a", "reset"}}},
        {.title = "use", .needs = {{"gpu/a", "reset"}}}};
  };
  const Plan plan = bench.plan();
  EXPECT_THAT(step_named(plan, "reset").step.blocked_by,
              ElementsAre("cannot tell whether gpu a is idle: no permission to read it"));
  EXPECT_THAT(step_named(plan, "use").step.blocked_by, ElementsAre(HasSubstr("which is blocked")));
}

TEST(Planner, TeardownComesBeforeEndAndBuildUpAfterProvide) {
  ToyBench bench;
  const Fact mode{"x/mode", "on"};
  bench.world->facts = {mode};
  bench.kind("x").steps = [&](const auto&) {
    return std::vector<Step>{{.title = "d build", .needs = {mode}},
                             {.title = "c provide", .provides = {mode}},
                             {.title = "b end", .ends = {mode}},
                             {.title = "z tear down", .needs_now = {mode}}};
  };
  EXPECT_THAT(titles(bench.plan()), ElementsAre("z tear down", "b end", "c provide", "d build"));
}

TEST(Planner, WhatNeedsABootLiesInTheNextPhase) {
  ToyBench bench;
  const Fact parameter{"p/iommu", "on"};
  bench.kind("p").steps = [&](const ToyKind::Facts& seen) {
    std::vector<Step> steps;
    if (!seen.contains(parameter)) steps.push_back({.title = "stage", .provides_at_boot = {parameter}});
    if (!seen.contains({"p/check", "done"}))
      steps.push_back({.title = "bind", .needs = {parameter}, .provides = {{"p/check", "done"}}});
    return steps;
  };
  const Plan plan = bench.plan();
  ASSERT_EQ(plan.phases.size(), 2U);
  EXPECT_TRUE(plan.phases[0].reboot_after);
  EXPECT_FALSE(plan.phases[1].reboot_after);
  EXPECT_EQ(step_named(plan, "bind").phase, 1U);
}

TEST(Planner, AStepForAHostInSyncComesAloneOrIsShownLast) {
  ToyBench bench;
  auto& kind = bench.kind("p");
  kind.when_in_sync = {{.title = "a settle"}};
  EXPECT_FALSE(step_named(bench.plan(), "a settle").step.provisional);

  const Fact made{"x/made", "yes"};
  bool left = true;
  bench.kind("x").steps = [&](const auto&) {
    return left ? std::vector<Step>{{.title = "z use", .needs = {made}},
                                    {.title = "b make", .provides = {made}}}
                : std::vector<Step>{};
  };
  EXPECT_THAT(titles(bench.plan()), ElementsAre("b make", "z use", "a settle"));
  EXPECT_TRUE(step_named(bench.plan(), "a settle").step.provisional);

  left = false;
  kind.findings = {{.address = "other", .verdict = Finding::Verdict::pending_reboot}};
  EXPECT_TRUE(step_named(bench.plan(), "a settle").step.provisional) << "a boot is to bring it there";
  for (const auto verdict : {Finding::Verdict::differs, Finding::Verdict::unknown}) {
    kind.findings[0].verdict = verdict;
    EXPECT_TRUE(bench.plan().steps.empty()) << "nothing will";
  }
}

TEST(Planner, ABracketForALaterPhaseDoesNotOpenBeforeTheReboot) {
  ToyBench bench;
  two_users_of_one_holder(bench);
  const Fact parameter{"p/iommu", "on"};
  bench.kind("p").steps = [&](const auto&) {
    return std::vector<Step>{{.title = "stage", .provides_at_boot = {parameter}}};
  };
  auto& gpu = dynamic_cast<ToyKind&>(*bench.desired.kinds[0]);
  gpu.steps = [&](const auto&) {
    return std::vector<Step>{{.title = "reset a", .needs = {{"gpu/a", "idle"}, parameter}}};
  };
  const Plan plan = bench.plan();
  EXPECT_THAT(titles(plan), ElementsAre("stage", "stop dcgm", "reset a", "start dcgm"));
  EXPECT_EQ(step_named(plan, "stop dcgm").phase, 1U);
}

TEST(Planner, TheOrderOfEntriesDoesNotMatter) {
  std::vector<Step> steps;
  for (int i = 0; i < 20; ++i)
    steps.push_back(
        {.title = "step " + std::to_string(i),
         .needs = i % 3 == 0 ? std::vector<Fact>{} : std::vector<Fact>{{"x/" + std::to_string(i / 3), "up"}},
         .provides = {{"x/" + std::to_string(i), "up"}}});
  std::mt19937 random(7);
  std::vector<std::string> first;
  for (int round = 0; round < 20; ++round) {
    std::ranges::shuffle(steps, random);
    ToyBench bench;
    bench.kind("x").steps = [&](const auto&) { return steps; };
    const auto order = titles(bench.plan());
    if (first.empty()) first = order;
    EXPECT_EQ(order, first);
  }
}

TEST(Planner, AnotherDocumentsObjectIsAConflict) {
  ToyBench bench;
  Ownership owned;
  owned.claim("other", {"kernel.parameters[iommu]", nullptr, "pt"});
  bench.host.put(Ownership::path, testing::text_of(owned));
  bench.kind("p").steps = [](const auto&) {
    return std::vector<Step>{{.title = "stage", .claims = Claim{"kernel.parameters[iommu]", nullptr, "on"}}};
  };
  EXPECT_THAT(step_named(bench.plan(), "stage").step.blocked_by,
              ElementsAre(HasSubstr("belongs to document 'other'")));
}

TEST(Planner, TwoDocumentsThatAgreeAreAConflictAllTheSame) {
  ToyBench bench;
  Ownership owned;
  owned.claim("other", {"p[a]", nullptr, "set"});
  bench.host.put(Ownership::path, testing::text_of(owned));
  bench.kind("p").findings = {{.address = "p[a]", .desired = "set", .observed = "set"}};
  const Plan plan = bench.plan();
  EXPECT_FALSE(plan.applyable());
  ASSERT_EQ(plan.notes.size(), 1U);
  EXPECT_EQ(plan.notes[0].message, "belongs to document 'other'");
}

TEST(Planner, AWishForAnotherOptionIsNoDrift) {
  ToyBench bench;
  Ownership owned;
  owned.claim("toy", {"m[a]", nullptr, {{"state", "blocked"}, {"options", {{"old", 1}}}}});
  bench.host.put(Ownership::path, testing::text_of(owned));
  auto& kind = bench.kind("m");
  const Json wish{{"state", "blocked"}, {"options", {{"new", 1}}}};
  kind.findings = {{.address = "m[a]",
                    .verdict = Finding::Verdict::differs,
                    .desired = wish,
                    .observed = {{"state", "blocked"}, {"options", {{"new", nullptr}}}}}};
  EXPECT_TRUE(bench.plan().drift.empty());
  kind.findings[0].observed = {{"state", "loaded"}, {"options", {{"old", 1}}}};
  EXPECT_EQ(bench.plan().drift.size(), 1U);
}

TEST(Planner, TellsDriftFromIntent) {
  ToyBench bench;
  Ownership owned;
  owned.claim("toy", {"p[a]", "before", "set"});
  owned.claim("toy", {"p[b]", "before", "old wish"});
  bench.host.put(Ownership::path, testing::text_of(owned));
  auto& kind = bench.kind("p");
  kind.findings = {
      {.address = "p[a]", .verdict = Finding::Verdict::differs, .desired = "set", .observed = "other"},
      {.address = "p[b]", .verdict = Finding::Verdict::differs, .desired = "new", .observed = "old wish"}};
  kind.steps = [](const auto&) {
    return std::vector<Step>{{.title = "a", .claims = Claim{"p[a]", "other", "set"}},
                             {.title = "b", .claims = Claim{"p[b]", "old wish", "new"}},
                             {.title = "c", .gives_back = "p[c]"}};
  };
  const Plan plan = bench.plan();
  EXPECT_EQ(step_named(plan, "a").step.reason, ActionReason::drift);
  EXPECT_EQ(step_named(plan, "b").step.reason, ActionReason::desired_changed);
  EXPECT_EQ(step_named(plan, "c").step.reason, ActionReason::removed_from_desired);
  ASSERT_EQ(plan.drift.size(), 1U);
  EXPECT_EQ(plan.drift[0].address, "p[a]");
  EXPECT_EQ(plan.drift[0].observed, "other");
}

TEST(Planner, FingerprintFollowsWhatThePlanRestsOnAndNothingElse) {
  ToyBench bench;
  two_users_of_one_holder(bench);
  const auto before = bench.plan().fingerprint();
  bench.world->facts.insert({"elsewhere", "changed"});
  EXPECT_EQ(bench.plan().fingerprint(), before);
  bench.world->facts.erase({"unit/dcgm", "active"});
  bench.world->facts.insert({"unit/dcgm", "inactive"});
  EXPECT_NE(bench.plan().fingerprint(), before);
}

}  // namespace
}  // namespace gpuhost::testing
