#include <atomic>
#include <barrier>
#include <chrono>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/run_lock.hpp"
#include "engine/toy.hpp"
#include "support/ownership_text.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Run, ASecondRunHasNothingToDo) {
  ToyBench bench;
  bench.kind("x").steps =
      until_there({toy("one", {}, {"x/1", "up"}), toy("two", {{"x/1", "up"}}, {"x/2", "up"})});
  ASSERT_TRUE(bench.run().has_value());
  EXPECT_THAT(bench.world->log, ElementsAre("one", "two"));
  const auto writes = bench.host.writes();
  const auto again = bench.run();
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(bench.host.writes(), writes);
  EXPECT_THAT(bench.world->log, ElementsAre("one", "two"));
}

TEST(Run, IsRememberedOnceAndBeforeTheFirstStep) {
  ToyBench bench;
  auto& kind = bench.kind("x");
  kind.steps = until_there({toy("one", {}, {"x/1", "up"}), toy("two", {{"x/1", "up"}}, {"x/2", "up"})});
  bench.world->during = [&](const Step&) { EXPECT_EQ(kind.remembered, 1U); };
  ASSERT_TRUE(bench.run().has_value());
  EXPECT_EQ(kind.remembered, 1U);
  ASSERT_TRUE(bench.run().has_value());  // nothing to do, nothing to lose
  EXPECT_EQ(kind.remembered, 1U);
}

TEST(Run, WithoutARecordThereIsNoStep) {
  ToyBench bench;
  auto& kind = bench.kind("x");
  kind.steps = until_there({toy("one", {}, {"x/1", "up"})});
  kind.forgets = Error{ErrorKind::io, "the disk is full"};
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_FALSE(report->changed);
  EXPECT_THAT(report->errors, ElementsAre("the disk is full"));
  EXPECT_THAT(bench.world->log, IsEmpty());
}

TEST(Run, WhatMayBeMissingMakesItDegraded) {
  ToyBench bench;
  auto& kind = bench.kind("x");
  kind.steps = until_there({toy("one", {}, {"x/1", "up"})});
  kind.conditions = {{Condition::Type::degraded, "x", "one of two"}};
  EXPECT_EQ(bench.run()->result, RunReport::Result::degraded);
  kind.conditions = {{Condition::Type::pending_guest_restart, "x", "its next start"}};
  EXPECT_EQ(bench.run()->result, RunReport::Result::converged);
}

TEST(Run, NoDependantOfAFailedStepRuns) {
  ToyBench bench;
  bench.world->failing["one"] = {ErrorKind::io, "the disk is full", "make room"};
  bench.kind("x").steps =
      until_there({toy("one", {}, {"x/1", "up"}), toy("two", {{"x/1", "up"}}, {"x/2", "up"}),
                   toy("zzz", {}, {"x/3", "up"})});
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_THAT(bench.world->log, ElementsAre("one"));  // and nothing new starts after a failure
  EXPECT_THAT(report->errors, ElementsAre("one: the disk is full; make room"));
  EXPECT_THAT(report->held, IsEmpty());
}

TEST(Run, WhatWasDoneBeforeAFailureIsNamed) {
  ToyBench bench;
  bench.world->failing["two"] = {ErrorKind::io, "no"};
  bench.kind("x").steps =
      until_there({toy("one", {}, {"x/1", "up"}), toy("two", {{"x/1", "up"}}, {"x/2", "up"})});
  const auto report = bench.run({.executor = {.workers = 1}, .rollback = false});
  ASSERT_TRUE(report.has_value());
  EXPECT_THAT(report->held, ElementsAre("one"));
  EXPECT_TRUE(report->changed);
}

TEST(Run, AFailedRunThatLeftTheHostAsItWasHasChangedNothing) {
  ToyBench bench;
  bench.world->failing["one"] = {ErrorKind::io, "no"};
  auto& kind = bench.kind("x");
  kind.steps = until_there({toy("one", {}, {"x/1", "up"})});
  EXPECT_FALSE(bench.run()->changed);
  // The step fails after it has done something: what it left behind shows in what is observed.
  kind.steps = [](const ToyKind::Facts& seen) {
    Step step = toy("one", {}, {"x/1", "up"});
    step.before = seen.contains({"x/1", "broken"}) ? "broken" : "whole";
    return std::vector<Step>{std::move(step)};
  };
  bench.world->during = [&](const Step&) {
    const std::lock_guard lock(bench.world->mutex);
    bench.world->facts.insert({"x/1", "broken"});
  };
  EXPECT_TRUE(bench.run({.executor = {.workers = 1}, .rollback = false})->changed);
}

TEST(Run, AStepThatReadsBackOtherwiseFails) {
  ToyBench bench;
  // A step that runs and changes nothing, as some NVIDIA tools do while they exit 0.
  bench.kind("x").steps = [](const auto&) {
    return std::vector<Step>{{.title = "pretend", .provides = {{"x/1", "up"}}, .ends = {{"x/1", "up"}}}};
  };
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_THAT(report->errors, ElementsAre(HasSubstr("the host reads otherwise")));
}

TEST(Run, AProvisionalStepIsPlannedAnewAndTheBracketStaysOpenMeanwhile) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::stop_units;
  bench.world->facts = {{"unit/u", "active"}};
  const Fact stopped{"unit/u", "inactive"};
  bench.kind("fn").steps = [&](const ToyKind::Facts& seen) {
    std::vector<Step> steps;
    const bool functions = seen.contains({"fn/all", "enabled"});
    if (!functions)
      steps.push_back({.title = "enable functions", .needs = {stopped}, .provides = {{"fn/all", "enabled"}}});
    if (!seen.contains({"fn/vgpu", "present"}))
      steps.push_back({.title = "create vgpu",
                       .needs = {stopped, {"fn/all", "enabled"}},
                       .provides = {{"fn/vgpu", "present"}},
                       .provisional = !functions});
    return steps;
  };
  bench.kind("unit").offers = [&](const Fact& fact) -> std::vector<Offer> {
    if (fact != stopped) return {};
    return {{.needs = {},
             .acquire = Step{.title = "stop u", .provides = {stopped}, .ends = {{"unit/u", "active"}}},
             .release = Step{.title = "start u", .provides = {{"unit/u", "active"}}, .ends = {stopped}}}};
  };
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::converged);
  EXPECT_THAT(bench.world->log, ElementsAre("stop u", "enable functions", "create vgpu", "start u"));
}

TEST(Run, ALaterRoundDoesNoMoreThanWasApproved) {
  ToyBench bench;
  bench.kind("x").steps = [&](const ToyKind::Facts& seen) {
    if (!seen.contains({"x/1", "up"})) return std::vector<Step>{toy("one", {}, {"x/1", "up"})};
    return std::vector<Step>{toy("surprise", {}, {"x/2", "up"})};
  };
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::undone);
  EXPECT_THAT(report->errors, ElementsAre(HasSubstr("the approved plan has no step for surprise")));
  EXPECT_THAT(bench.world->log, ElementsAre("one", "undo one"));
}

TEST(Run, RefusesAHostThatIsNoLongerAsPlanned) {
  ToyBench bench;
  auto& kind = bench.kind("x");
  kind.steps = until_there({toy("one", {}, {"x/1", "up"}), toy("two", {}, {"x/2", "up"})});
  const Plan approved = bench.plan();
  bench.world->facts.insert({"x/2", "up"});
  auto host = bench.host.host();
  const auto report = reconcile(bench.desired, approved, host, bench.log, {});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().kind, ErrorKind::stale);
  EXPECT_THAT(bench.world->log, IsEmpty());
}

TEST(Run, GivesUpWhenTheHostDoesNotConverge) {
  ToyBench bench;
  int made = 0;
  bench.kind("x").steps = [&](const auto&) {
    Step step = toy("again", {}, {"x/" + std::to_string(made), "up"});
    step.action.arguments = {{"number", made++}};
    return std::vector<Step>{std::move(step)};
  };
  auto host = bench.host.host();
  made = 0;
  const Plan approved = bench.plan();
  made = 0;
  const auto report = reconcile(bench.desired, approved, host, bench.log, {.executor = {.workers = 1}});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::undone);
  EXPECT_EQ(report->rounds, 8U);
  EXPECT_THAT(bench.world->facts, IsEmpty());
}

TEST(Run, DoesNotDoForEverWhatSomethingElseUndoes) {
  ToyBench bench;
  bench.kind("x").steps = [&](const auto&) {
    bench.world->facts.clear();  // as a look that starts what a document wants stopped
    return std::vector{toy("again", {}, {"x/1", "up"})};
  };
  auto host = bench.host.host();
  const Plan approved = bench.plan();
  const auto report = reconcile(bench.desired, approved, host, bench.log, {.executor = {.workers = 1}});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_FALSE(report->changed);
  EXPECT_EQ(report->rounds, 3U);
  EXPECT_THAT(report->errors, ElementsAre(HasSubstr("was done 2 times and does not last")));
  EXPECT_THAT(bench.world->facts, IsEmpty());
}

/// A document that needs a reboot between two steps.
void stage_and_use(ToyBench& bench) {
  const Fact parameter{"p/iommu", "on"};
  bench.kind("p").steps = [=](const ToyKind::Facts& seen) {
    std::vector<Step> steps;
    if (!seen.contains(parameter)) steps.push_back({.title = "stage", .provides_at_boot = {parameter}});
    if (!seen.contains({"p/bound", "yes"}))
      steps.push_back({.title = "bind", .needs = {parameter}, .provides = {{"p/bound", "yes"}}});
    return steps;
  };
}

/// Virtual functions, say: they are there, and gone after a boot.
RunReport::Result lose_at_reboot(Disruption disruption) {
  ToyBench bench;
  stage_and_use(bench);
  const Fact functions{"f/functions", "up"};
  bench.world->facts = {functions};
  auto& kind = bench.kind("f");
  kind.findings = {{.address = "functions"}};
  kind.steps = until_there({{.title = "functions", .provides = {functions}, .disruption = disruption}});
  bench.desired.policy.disruption = Disruption::reboot;
  const auto report = bench.run({.executor = {.workers = 1},
                                 .reboot = [&]() -> Result<void> {
                                   bench.world->facts.erase(functions);
                                   bench.world->reboot();
                                   return {};
                                 },
                                 .resumes = true});
  return report->result;
}

TEST(Run, WhatARebootTakesAwayIsPutBackUnlessThatHitsMoreThanServices) {
  EXPECT_EQ(lose_at_reboot(Disruption::none), RunReport::Result::converged);
  EXPECT_EQ(lose_at_reboot(Disruption::stop_units), RunReport::Result::converged);
  EXPECT_EQ(lose_at_reboot(Disruption::stop_guests), RunReport::Result::failed);
}

TEST(Run, StopsAtTheRebootUnlessBothPolicyAndCallerAllowIt) {
  ToyBench bench;
  stage_and_use(bench);
  const RunOptions with_reboot{.executor = {.workers = 1},
                               .reboot = [&]() -> Result<void> {
                                 bench.world->reboot();
                                 return {};
                               },
                               .resumes = true};
  auto report = bench.run(with_reboot);  // the policy says none
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::reboot_required);
  EXPECT_THAT(bench.world->log, ElementsAre("stage"));

  bench.desired.policy.disruption = Disruption::reboot;
  report = bench.run({.executor = {.workers = 1}});  // the caller did not ask
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::reboot_required);

  report = bench.run(with_reboot);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::converged);
  EXPECT_THAT(bench.world->log, Contains("bind"));
  EXPECT_THAT(bench.log.lines, Contains("rebooting"));
}

TEST(Run, AnInterruptKeepsTheHostFromRebooting) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::reboot;
  stage_and_use(bench);
  std::atomic<bool> interrupted = false;
  bench.world->during = [&](const Step&) { interrupted = true; };
  int reboots = 0;
  const auto report = bench.run({.executor = {.workers = 1, .interrupted = &interrupted},
                                 .reboot = [&]() -> Result<void> {
                                   ++reboots;
                                   return {};
                                 },
                                 .resumes = true});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::interrupted);
  EXPECT_EQ(reboots, 0);
}

TEST(Run, AnInterruptBetweenTheLastStepAndTheRebootIsHeard) {
  struct InterruptedWhileLookingAgain final : ReportLog {
    std::atomic<bool> interrupted = false;
    void planned(const Plan&, unsigned round) override { interrupted = interrupted || round == 2; }
  };
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::reboot;
  stage_and_use(bench);
  InterruptedWhileLookingAgain reporter;
  int reboots = 0;
  const Plan approved = bench.plan();
  auto host = bench.host.host();
  const auto report = reconcile(bench.desired, approved, host, reporter,
                                {.executor = {.workers = 1, .interrupted = &reporter.interrupted},
                                 .reboot = [&]() -> Result<void> {
                                   ++reboots;
                                   return {};
                                 },
                                 .resumes = true});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(reboots, 0);
  EXPECT_EQ(report->result, RunReport::Result::interrupted);
}

TEST(Run, RebootsNoMoreOftenThanThePlanShowed) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::reboot;
  stage_and_use(bench);
  int reboots = 0;
  const auto report = bench.run({.executor = {.workers = 1},
                                 .reboot = [&]() -> Result<void> {
                                   ++reboots;  // the new command line does not take effect
                                   return {};
                                 },
                                 .resumes = true});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(reboots, 1);
  EXPECT_EQ(report->result, RunReport::Result::reboot_required);
}

TEST(Run, EightLanesRunSideBySideAndOneLaneNeverTwice) {
  ToyBench bench;
  std::vector<Step> resets;
  for (int gpu = 0; gpu < 8; ++gpu)
    for (const std::string what : {"first", "second"}) {
      const auto name = std::to_string(gpu);
      auto step = toy(what + " of gpu " + name, {}, {"x/" + what + name, "done"});
      step.lanes = {"gpu/" + name};
      resets.push_back(std::move(step));
    }
  bench.kind("x").steps = until_there(resets);
  // Only if eight steps are in run() at once does the barrier open; the deadline of the test program ends a
  // wrong one.
  std::barrier eight(8);
  std::array<std::atomic<int>, 8> in_lane{};
  std::atomic<bool> shared = false;
  bench.world->during = [&](const Step& step) {
    auto& mine = in_lane[static_cast<std::size_t>(step.title.back() - '0')];
    if (++mine > 1) shared = true;
    eight.arrive_and_wait();
    --mine;
  };
  const auto report = bench.run({.executor = {.workers = 8}});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::converged);
  EXPECT_FALSE(shared);
  EXPECT_EQ(bench.world->log.size(), 16U);
}

TEST(Run, TheSummaryIsTheSameWhateverTheInterleaving) {
  const auto run = [](unsigned workers) {
    ToyBench bench;
    std::vector<Step> all;
    for (int i = 0; i < 12; ++i)
      all.push_back(toy("step " + std::to_string(i), {}, {"x/" + std::to_string(i), "up"}));
    bench.kind("x").steps = until_there(all);
    return bench.run({.executor = {.workers = workers}})->held;
  };
  EXPECT_EQ(run(1), run(8));
}

TEST(Run, AnInterruptEndsAtASafePointAndStartsAgainWhatItStopped) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::stop_units;
  const Fact stopped{"unit/u", "inactive"};
  std::atomic<bool> interrupted = false;
  bench.world->facts = {{"unit/u", "active"}};
  bench.kind("x").steps = until_there(
      {toy("one", {stopped}, {"x/1", "up"}), toy("two", {stopped, {"x/1", "up"}}, {"x/2", "up"})});
  bench.kind("unit").offers = [&](const Fact& fact) -> std::vector<Offer> {
    if (fact != stopped) return {};
    return {{.needs = {},
             .acquire = Step{.title = "stop u", .provides = {stopped}, .ends = {{"unit/u", "active"}}},
             .release = Step{.title = "start u", .provides = {{"unit/u", "active"}}, .ends = {stopped}}}};
  };
  bench.world->during = [&](const Step& step) { interrupted = interrupted || step.title == "one"; };
  const auto report = bench.run({.executor = {.workers = 1, .interrupted = &interrupted}});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::interrupted);
  EXPECT_THAT(bench.world->log, ElementsAre("stop u", "one", "start u"));
}

TEST(Run, NoRecordNoStep) {
  ToyBench bench;
  bench.kind("p").steps = [](const auto&) {
    return std::vector<Step>{
        {.title = "stage", .provides = {{"p/a", "set"}}, .claims = Claim{"p[a]", nullptr, "set"}}};
  };
  bench.host.refuse_writes({ErrorKind::io, "no space left"});
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_THAT(bench.world->log, IsEmpty());
  EXPECT_THAT(report->errors, ElementsAre(HasSubstr("the run cannot be recorded: no space left")));
}

TEST(Run, OwnershipKeepsTheFirstBeforeAndForgetsWhatIsGivenBack) {
  ToyBench bench;
  auto& kind = bench.kind("p");
  const auto claim = [](std::string title, Json before, Json applied) {
    return Step{
        .title = title, .provides = {{"p/" + title, "set"}}, .claims = Claim{"p[a]", before, applied}};
  };
  kind.steps = until_there({claim("first", "original", "one")});
  ASSERT_TRUE(bench.run().has_value());
  kind.steps = until_there({claim("second", "one", "two")});
  ASSERT_TRUE(bench.run().has_value());
  auto owned = Ownership::load(bench.host.host().view.files);
  ASSERT_TRUE(owned.has_value());
  ASSERT_NE(owned->find("toy", "p[a]"), nullptr);
  EXPECT_EQ(*owned->find("toy", "p[a]"), (Ownership::Object{"original", "two"}));

  kind.steps = until_there({Step{.title = "undo", .provides = {{"p/undo", "set"}}, .gives_back = "p[a]"}});
  ASSERT_TRUE(bench.run().has_value());
  owned = Ownership::load(bench.host.host().view.files);
  ASSERT_TRUE(owned.has_value());
  EXPECT_TRUE(owned->empty());
}

TEST(Run, AFailedStepThatIsNotUndoneStaysOwnedSinceItMayHaveDoneHalf) {
  ToyBench bench;
  bench.world->failing["stage"] = {ErrorKind::io, "no"};
  bench.kind("p").steps = [](const auto&) {
    return std::vector<Step>{
        {.title = "stage", .provides = {{"p/a", "set"}}, .claims = Claim{"p[a]", nullptr, "set"}}};
  };
  ASSERT_TRUE(bench.run({.executor = {.workers = 1}, .rollback = false}).has_value());
  EXPECT_NE(Ownership::load(bench.host.host().view.files)->find("toy", "p[a]"), nullptr);
}

TEST(Run, WhatTheRebootTakesAwayIsPutBackAsItWas) {
  ToyBench bench;
  bench.desired.policy.disruption = Disruption::reboot;
  bench.world->facts = {{"u/cron", "active"}};
  const Fact parameter{"p/iommu", "on"};
  bench.kind("p").steps = [=](const ToyKind::Facts& seen) {
    if (seen.contains(parameter)) return std::vector<Step>{};
    return std::vector<Step>{{.title = "stage", .provides_at_boot = {parameter}}};
  };
  auto& units = bench.kind("u");
  units.findings = {{.address = "u[cron]", .desired = "active", .observed = "active"}};
  units.steps = [](const ToyKind::Facts& seen) {
    if (seen.contains({"u/cron", "active"})) return std::vector<Step>{};
    return std::vector<Step>{
        {.action = {.address = "u[cron]"}, .title = "start cron", .provides = {{"u/cron", "active"}}}};
  };
  const auto report = bench.run({.executor = {.workers = 1},
                                 .reboot = [&]() -> Result<void> {
                                   bench.world->reboot();
                                   bench.world->facts.erase({"u/cron", "active"});
                                   return {};
                                 },
                                 .resumes = true});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::converged) << ::testing::PrintToString(report->errors);
  EXPECT_TRUE(bench.world->has({"u/cron", "active"}));
}

TEST(Run, ACheckThatFailsSaysWhatToDo) {
  ToyBench bench;
  bench.kind("v").steps = [](const auto&) {
    return std::vector<Step>{{.title = "check the IOMMU",
                              .explanation = "enable VT-d in the firmware setup",
                              .provides = {{"v/iommu", "active"}},
                              .check_only = true}};
  };
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_THAT(
      report->errors,
      ElementsAre("check the IOMMU: check the IOMMU: it is not so; enable VT-d in the firmware setup"));
  EXPECT_FALSE(report->changed);
}

TEST(Ownership, ANewerFormatIsRefusedAndGarbageIsNotTakenForNothing) {
  MemoryHost host;
  host.put(Ownership::path, R"({"format_version": 99})");
  auto owned = Ownership::load(host.host().view.files);
  ASSERT_FALSE(owned.has_value());
  EXPECT_EQ(owned.error().kind, ErrorKind::stale);
  for (const std::string text : {"", "[]", "{", R"({"format_version": 1})",
                                 R"({"format_version": 1, "documents": {"a": {"b": {"before": 1}}}})"}) {
    host.put(Ownership::path, text);
    owned = Ownership::load(host.host().view.files);
    ASSERT_FALSE(owned.has_value()) << text;
    EXPECT_EQ(owned.error().kind, ErrorKind::invalid);
  }
}

TEST(Ownership, WhatIsWrittenIsReadBackTheSame) {
  Ownership owned;
  owned.claim("doc", {"a", nullptr, Json::array({"x"})});
  owned.claim("other", {"b", 1, 2});
  MemoryHost host;
  host.put(Ownership::path, testing::text_of(owned));
  const auto again = Ownership::load(host.host().view.files);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, owned);
  EXPECT_EQ(owned.other_owner("doc", "b"), "other");
  EXPECT_EQ(owned.other_owner("other", "b"), std::nullopt);
}

class LockFile : public ::testing::Test {
 protected:
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("lock-" + std::to_string(::getpid()));
  std::string path = (directory / "run" / "lock").string();
  ~LockFile() override { std::filesystem::remove_all(directory); }
};

TEST_F(LockFile, NamesItsHolderAndIsFreeAfterwards) {
  {
    const auto mine = RunLock::take(path);
    ASSERT_TRUE(mine.has_value());
    const auto second = RunLock::take(path);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind, ErrorKind::busy);
    EXPECT_THAT(second.error().message, HasSubstr("pid " + std::to_string(::getpid())));
    const auto holder = RunLock::holder(path);
    ASSERT_TRUE(holder.has_value() && holder->has_value());
    EXPECT_EQ((*holder)->pid, ::getpid());
    EXPECT_THAT((*holder)->command, HasSubstr("engine_test"));
  }
  const auto holder = RunLock::holder(path);
  ASSERT_TRUE(holder.has_value());
  EXPECT_FALSE(holder->has_value());
  EXPECT_TRUE(RunLock::take(path).has_value());
}

TEST_F(LockFile, TakingItAgainWritesNothing) {
  {
    const auto first = RunLock::take(path);
  }
  const auto before = std::filesystem::last_write_time(path);
  {
    const auto second = RunLock::take(path);
  }
  EXPECT_EQ(std::filesystem::last_write_time(path), before);
  EXPECT_EQ(std::filesystem::file_size(path), 0U);
}

TEST_F(LockFile, AFileThatIsThereIsLockedAsItIs) {
  EXPECT_EQ(RunLock::take_existing(path).error().kind, ErrorKind::not_found);
  std::filesystem::create_directories(directory / "run");
  std::ofstream(path) << "kind: Host";
  const auto mine = RunLock::take_existing(path);
  ASSERT_TRUE(mine.has_value());
  EXPECT_EQ(RunLock::take_existing(path).error().kind, ErrorKind::busy);
}

TEST_F(LockFile, ALinkInItsPlaceIsNotFollowed) {
  std::filesystem::create_directories(directory / "run");
  std::filesystem::create_symlink(directory / "victim", path);
  EXPECT_FALSE(RunLock::take(path).has_value());
  EXPECT_FALSE(std::filesystem::exists(directory / "victim"));
}

}  // namespace
}  // namespace gpuhost::testing
