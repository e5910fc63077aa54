#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/journal.hpp"
#include "engine/recover.hpp"
#include "engine/toy.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto fails = "three";

/// Three steps in a row, of which the last fails.
void three_in_a_row(ToyBench& bench) {
  bench.kind("x").steps =
      until_there({toy("one", {}, {"x/1", "up"}), toy("two", {{"x/1", "up"}}, {"x/2", "up"}),
                   toy(fails, {{"x/2", "up"}}, {"x/3", "up"})});
  bench.world->failing[fails] = {ErrorKind::io, "no"};
}

TEST(Rollback, UndoesBackwardsAndVerifies) {
  ToyBench bench;
  three_in_a_row(bench);
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::undone);
  EXPECT_FALSE(report->changed);
  EXPECT_THAT(bench.world->log, ElementsAre("one", "two", "three", "undo two", "undo one"));
  EXPECT_THAT(report->held, IsEmpty());
  EXPECT_THAT(bench.world->facts, IsEmpty());
  EXPECT_FALSE(bench.host.files().contains(Journal::path)) << "the run is over";
  EXPECT_THAT(bench.log.lines, Contains("as before"));
}

TEST(Rollback, WhatCannotBeUndoneHoldsWithAllItRestsOn) {
  ToyBench bench;
  three_in_a_row(bench);
  bench.world->final.insert("two");
  const auto report = bench.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_TRUE(report->changed);
  EXPECT_THAT(report->held, ElementsAre("one", "two"));
  EXPECT_THAT(report->errors, Contains(HasSubstr("one: 'two' rests on it and holds")));
  EXPECT_THAT(report->errors, Contains(HasSubstr("two: nothing can undo it")));
}

TEST(Rollback, AnUndoThatFailsIsTold) {
  ToyBench bench;
  three_in_a_row(bench);
  bench.world->failing["undo two"] = {ErrorKind::busy, "in use"};
  const auto report = bench.run();
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_THAT(report->held, ElementsAre("one", "two"));
  EXPECT_THAT(report->errors, Contains(HasSubstr("two: in use")));
}

TEST(Rollback, DisturbsNobodyWhomThePlanDidNotDisturb) {
  ToyBench bench;
  three_in_a_row(bench);
  bench.world->undo_disruption = Disruption::stop_guests;
  const auto report = bench.run();
  EXPECT_EQ(report->result, RunReport::Result::failed);
  EXPECT_THAT(bench.world->log, ElementsAre("one", "two", "three"));
  EXPECT_THAT(report->errors, Contains(HasSubstr("undoing it needs disruption stop-guests")));
}

TEST(Rollback, WhatIsAsBeforeIsUndoneWhateverUndoingItWouldDisturb) {
  ToyBench bench;
  bench.kind("x").steps = until_there({toy(fails, {}, {"x/3", "up"})});
  bench.world->failing[fails] = {ErrorKind::io, "no"};
  bench.world->undo_disruption = Disruption::stop_guests;
  const auto report = bench.run();
  EXPECT_FALSE(report->changed);
  EXPECT_THAT(report->held, IsEmpty());
}

TEST(Rollback, AChangeByAnotherHandStopsTheRun) {
  ToyBench bench;
  three_in_a_row(bench);
  bench.world->failing.clear();
  // While the first step runs, another hand makes what the third would make, and takes it half way back.
  bench.world->during = [&](const Step& step) {
    if (step.title != "two") return;
    const std::lock_guard lock(bench.world->mutex);
    bench.world->facts.insert({"x/3", "up"});
  };
  EXPECT_EQ(bench.run()->result, RunReport::Result::converged) << "what it wants is there: no drift";
  ToyBench other;
  other.kind("y").steps =
      until_there({{.title = "a", .provides = {{"y/a", "up"}}},
                   {.title = "b", .provides = {{"y/b", "up"}}, .ends = {{"y/old", "up"}}}});
  other.world->facts.insert({"y/old", "up"});
  other.world->during = [&](const Step& step) {
    if (step.title != "a") return;
    const std::lock_guard lock(other.world->mutex);
    other.world->facts.erase({"y/old", "up"});
  };
  const auto report = other.run();
  ASSERT_TRUE(report.has_value());
  EXPECT_THAT(report->errors, Contains(HasSubstr("drifted at step")));
  EXPECT_THAT(other.world->log, ElementsAre("a", "undo a"));
}

/// A journal as a run leaves it that is killed after `one` and in the middle of `two`.
Journal interrupted(ToyBench& bench) {
  auto host = bench.host.host();
  Journal journal({.document = "toy", .boot_id = "b", .started = "now", .allowed = Disruption::none});
  const auto record = [](const std::string& title, const Fact& fact) {
    const Json truths = {{fact.subject, fact.state, false}};
    return StepRecord{.action = {"x", "toy", title, {}},
                      .title = title,
                      .lanes = {},
                      .after = {},
                      .undo = Undo{{"x", "undo", title, {{"truths", truths}, {"title", title}}}},
                      .owned = {}};
  };
  const auto one = journal.begin(record("one", {"x/1", "up"}), {}, host.files);
  EXPECT_TRUE(journal.end(*one, StepRecord::State::done, host.files));
  EXPECT_TRUE(journal.begin(record("two", {"x/2", "up"}), {}, host.files));
  bench.world->facts = {{"x/1", "up"}, {"x/2", "up"}};
  return journal;
}

TEST(Recover, UndoesWhatAnotherProcessHasLeft) {
  ToyBench bench;
  bench.kind("x");
  const auto written = interrupted(bench);
  auto host = bench.host.host();
  const auto read = Journal::load(host.view.files);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->steps(), written.steps());
  EXPECT_EQ((*read)->header(), written.header());

  const auto report = recover(bench.desired.kinds, host, bench.log);
  ASSERT_TRUE(report && *report);
  EXPECT_TRUE((**report).complete() && (**report).ended);
  EXPECT_THAT(bench.world->log, ElementsAre("undo two", "undo one"));
  EXPECT_THAT(bench.world->facts, IsEmpty());
  EXPECT_FALSE(*recover(bench.desired.kinds, host, bench.log)) << "once";
}

TEST(Recover, ATornLastRecordIsNone) {
  ToyBench bench;
  bench.kind("x");
  (void)interrupted(bench);
  const auto whole = bench.host.files().at(Journal::path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    bench.host.put(Journal::path, whole.substr(0, length));
    bench.world->facts = {{"x/1", "up"}};
    auto host = bench.host.host();
    const auto report = recover(bench.desired.kinds, host, bench.log);
    ASSERT_TRUE(report.has_value()) << length << ": " << report.error().message;
  }
}

TEST(Recover, WhatATransientHindranceLeavesIsTriedAgain) {
  ToyBench bench;
  bench.kind("x");
  (void)interrupted(bench);
  auto host = bench.host.host();
  bench.world->failing["undo two"] = {ErrorKind::busy, "in use"};
  const auto first = recover(bench.desired.kinds, host, bench.log);
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE((**first).complete() || (**first).ended);
  bench.world->failing.clear();
  const auto second = recover(bench.desired.kinds, host, bench.log);
  ASSERT_TRUE(second && *second);
  EXPECT_TRUE((**second).complete() && (**second).ended);
  EXPECT_THAT(bench.world->facts, IsEmpty());
}

TEST(Recover, AJournalOfANewerGpuhostIsLeftAlone) {
  ToyBench bench;
  bench.host.put(Journal::path, R"({"record":"run","format_version":99})"
                                "\n");
  auto host = bench.host.host();
  const auto report = recover(bench.desired.kinds, host, bench.log);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().kind, ErrorKind::stale);
}

}  // namespace
}  // namespace gpuhost::testing
