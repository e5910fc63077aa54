#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/toy.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Result = RunReport::Result;

constexpr const char* boot_id_path = "/proc/sys/kernel/random/boot_id";

/// A host on which "stage" takes effect at a boot, and "bind" needs it.
struct PendingRun : ::testing::Test {
  PendingRun() {
    bench.host.put(boot_id_path, "boot-0\n");
    const Fact parameter{"p/iommu", "on"};
    bench.kind("p").steps = [this, parameter](const ToyKind::Facts& seen) {
      std::vector<Step> steps;
      if (!seen.contains(parameter)) steps.push_back({.title = "stage", .provides_at_boot = {parameter}});
      if (!seen.contains({"p/bound", "yes"}))
        steps.push_back({.title = "bind",
                         .needs = {parameter},
                         .provides = {{"p/bound", "yes"}},
                         .affects = affected_by_bind});
      return steps;
    };
  }

  /// What a person does.
  RunReport apply(RunOptions options = {.executor = {.workers = 1}}) { return run(Scope::all, options); }

  /// What the boot units do.
  RunReport go_on(Scope scope = Scope::runtime) { return run(scope, {.executor = {.workers = 1}}); }

  RunReport run(Scope scope, const RunOptions& options) {
    bench.desired.scope = scope;
    bench.desired.resumed.reset();
    said = {};
    auto resuming = resume_pending(bench.desired, bench.host.host().view);
    if (!resuming) throw std::runtime_error(resuming.error().message);
    if (*resuming) said = (*resuming)->message;
    auto report = bench.run(options);
    if (!report) throw std::runtime_error(report.error().message);
    return *std::move(report);
  }

  void reboot() {
    bench.world->reboot();
    bench.host.put(boot_id_path, "boot-" + std::to_string(++boots) + "\n");
  }

  [[nodiscard]] PendingPhases pending() { return load_pending_phases(bench.host.host().view.files).value(); }

  ToyBench bench;
  std::vector<Affected> affected_by_bind;
  std::string said;  ///< about what is gone on with
  int boots = 0;
};

TEST_F(PendingRun, WhatARebootIsNeededForIsLeftToTheNextBootWhichFinishesIt) {
  EXPECT_EQ(apply().result, Result::reboot_required);
  ASSERT_THAT(pending(), SizeIs(1));
  EXPECT_EQ(pending().at("toy").boot_id, "boot-0");
  reboot();
  const auto report = go_on();
  EXPECT_EQ(report.result, Result::converged);
  EXPECT_THAT(said, HasSubstr("goes on with"));
  EXPECT_THAT(bench.world->log, ElementsAre("stage", "bind"));
  EXPECT_THAT(pending(), IsEmpty());
  EXPECT_EQ(bench.host.files().count(pending_phases_path), 0U);
}

TEST_F(PendingRun, IsWrittenOnceForAsLongAsTheHostIsNotBooted) {
  (void)apply();
  const auto writes = bench.host.writes();
  EXPECT_EQ(apply().result, Result::reboot_required);
  EXPECT_EQ(bench.host.writes(), writes);
}

TEST_F(PendingRun, IsNotGoneOnWithBeforeTheHostWasBooted) {
  (void)apply();
  EXPECT_EQ(go_on().result, Result::converged);  // of its scope, in which there is nothing
  EXPECT_FALSE(bench.desired.resumed.has_value());
  EXPECT_THAT(pending(), SizeIs(1));
}

TEST_F(PendingRun, APersonIsBoundByNothingThatWasApprovedBefore) {
  (void)apply();
  reboot();
  affected_by_bind = {{"unit", "x.service"}};
  EXPECT_EQ(apply().result, Result::converged);
  EXPECT_THAT(pending(), IsEmpty());
}

TEST_F(PendingRun, WhatWasNotApprovedIsRefusedAndCountsAsNoTry) {
  (void)apply();
  reboot();
  affected_by_bind = {{"unit", "x.service"}};
  const auto report = go_on();
  EXPECT_EQ(report.result, Result::refused);
  EXPECT_THAT(report.errors, Contains(HasSubstr("affects unit x.service, which the approved plan did not")));
  EXPECT_THAT(bench.world->log, ElementsAre("stage"));
  EXPECT_EQ(pending().at("toy").boots, 0U);
}

TEST_F(PendingRun, IsTriedInThreeBootsAndThenGivenUp) {
  (void)apply();
  bench.world->failing["bind"] = {ErrorKind::io, "the device does not answer"};
  for (unsigned tried = 1; tried <= PendingPhase::most_boots; ++tried) {
    reboot();
    EXPECT_EQ(go_on().result, Result::failed);
    EXPECT_EQ(pending().at("toy").boots, tried);
    EXPECT_FALSE(pending().at("toy").given_up("boot-" + std::to_string(tried)));
  }
  reboot();
  const auto before = bench.world->log;
  const auto report = go_on();
  EXPECT_EQ(report.result, Result::failed);
  EXPECT_FALSE(report.changed);
  EXPECT_THAT(report.errors, ElementsAre(HasSubstr("was gone on with in 3 boots and is not done")));
  EXPECT_EQ(bench.world->log, before);

  bench.world->failing.clear();
  EXPECT_EQ(apply().result, Result::converged);
  EXPECT_THAT(pending(), IsEmpty());
}

TEST_F(PendingRun, ApprovedAnewItHasAllItsTriesAgain) {
  (void)apply();
  bench.host.put(boot_id_path, "boot-1\n");  // in which the parameter does not come up
  EXPECT_EQ(go_on().result, Result::reboot_required);
  EXPECT_EQ(pending().at("toy").boots, 1U);
  EXPECT_EQ(apply().result, Result::reboot_required);
  EXPECT_EQ(pending().at("toy").boots, 0U);
}

TEST_F(PendingRun, TheTryIsOnRecordBeforeItsFirstStep) {
  (void)apply();
  reboot();
  unsigned boots_on_record = 0;
  bench.world->during = [&](const Step&) { boots_on_record = pending().at("toy").boots; };
  (void)go_on();
  EXPECT_EQ(boots_on_record, 1U);
}

TEST_F(PendingRun, ARecordThatCannotBeWrittenKeepsItFromBeingTried) {
  (void)apply();
  reboot();
  bench.host.refuse_writes({ErrorKind::io, "the disk is full"});
  const auto report = go_on();
  EXPECT_EQ(report.result, Result::failed);
  EXPECT_THAT(report.errors, Contains(HasSubstr("the disk is full")));
  EXPECT_THAT(bench.world->log, ElementsAre("stage"));
}

TEST_F(PendingRun, TheUnitBeforeLibvirtBelongsToTheSameTryAndLeavesTheRest) {
  const Fact functions{"f/functions", "up"};
  bench.world->facts = {functions};
  auto& devices = bench.kind("f");
  devices.lies = Stage::devices;
  devices.findings = {{.address = "functions"}};
  devices.steps = until_there({{.title = "functions", .provides = {functions}}});
  (void)apply();
  bench.world->facts.erase(functions);
  reboot();
  EXPECT_EQ(go_on(Scope::devices).result, Result::converged);
  EXPECT_THAT(bench.world->log, ElementsAre("stage", "functions"));
  EXPECT_EQ(pending().at("toy").boots, 1U);
  bench.world->during = [&](const Step&) { EXPECT_EQ(pending().at("toy").boots, 1U); };
  EXPECT_EQ(go_on().result, Result::converged);
  EXPECT_THAT(bench.world->log, ElementsAre("stage", "functions", "bind"));
  EXPECT_THAT(pending(), IsEmpty());
}

TEST_F(PendingRun, ADocumentThatHasChangedSinceIsNotGoneOnWith) {
  (void)apply();
  reboot();
  bench.desired.sha256 = "1";
  EXPECT_EQ(go_on().result, Result::converged);
  EXPECT_THAT(said, HasSubstr("the document has changed"));
  EXPECT_THAT(bench.world->log, ElementsAre("stage"));
  EXPECT_THAT(pending(), IsEmpty());
}

TEST_F(PendingRun, OneDocumentDoesNotTakeTheOthersPlace) {
  (void)apply();
  bench.desired.name = "other";
  (void)apply();
  EXPECT_THAT(pending(), SizeIs(2));
}

TEST_F(PendingRun, RebootsThatWereAskedForAreCountedDownBeforeTheyAreMade) {
  bench.desired.policy.disruption = Disruption::reboot;
  const RunOptions and_reboot{.executor = {.workers = 1}, .reboot = [&]() -> gpuhost::Result<void> {
                                EXPECT_EQ(pending().at("toy").reboots_left, 0U);
                                bench.host.put(boot_id_path, "boot-" + std::to_string(++boots));
                                return {};  // the parameter does not come up
                              }};
  EXPECT_EQ(apply(and_reboot).result, Result::reboot_required);
  EXPECT_EQ(boots, 1);
  EXPECT_EQ(run(Scope::runtime, and_reboot).result, Result::reboot_required);
  EXPECT_EQ(boots, 1) << "the plan showed one reboot";
  EXPECT_EQ(pending().at("toy").boots, 1U) << "so that it is given up at last";
}

TEST(PendingRecord, IsReadBackAsItWasWritten) {
  ToyBench bench;
  bench.kind("x").steps = until_there({{.title = "one",
                                        .provides = {{"x/1", "up"}},
                                        .disruption = Disruption::stop_units,
                                        .affects = {{"unit", "a.service"}}}});
  bench.kind("x").findings = {{.address = "y"}};
  auto host = bench.host.host();
  const auto plan = bench.plan();
  const PendingPhase phase{.document_sha256 = "0",
                           .boot_id = "b",
                           .bounds = Bounds(plan),
                           .reboots_left = 1,
                           .boots = 2,
                           .begun_in = "c"};
  ASSERT_TRUE(leave_pending("toy", phase, plan, host).has_value());
  EXPECT_EQ(load_pending_phases(host.view.files).value().at("toy"), phase);
}

TEST(PendingRecord, ANewerOrDamagedOneIsRefused) {
  ToyBench bench;
  const auto error_of = [&](const char* text) {
    bench.host.put(pending_phases_path, text);
    const auto loaded = load_pending_phases(bench.host.host().view.files);
    return loaded ? std::nullopt : std::optional(loaded.error().kind);
  };
  EXPECT_EQ(error_of(R"({"format_version": 2})"), ErrorKind::stale);
  for (const auto* text : {"", "[]", R"({"format_version": 1})", R"({"format_version": 1, "documents": []})",
                           R"({"format_version": 1, "documents": {"a": {}}})"})
    EXPECT_EQ(error_of(text), ErrorKind::invalid) << text;
}

}  // namespace
}  // namespace gpuhost::testing
