#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/recover.hpp"
#include "engine/toy.hpp"

namespace gpuhost::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr seconds time_to_confirm{300};
const RunOptions tried{.executor = {.workers = 1}, .confirm_within = time_to_confirm};

/// What comes out of a step whose process is killed.
struct Killed {};

struct Trial : ::testing::Test {
  Trial() {
    bench.host.put("/proc/sys/kernel/random/boot_id", "this boot\n");
    bench.kind("x").steps =
        until_there({toy("one", {}, {"x/1", "up"}), toy("two", {{"x/1", "up"}}, {"x/2", "up"})});
  }

  /// As another process finds it; nothing: there is none.
  std::optional<Journal> journal() {
    auto found = Journal::load(bench.host.host().view.files);
    if (!found) throw std::runtime_error(found.error().message);
    return *std::move(found);
  }
  std::optional<seconds> time_left() { return journal()->time_to_confirm(bench.host.host().view); }

  std::optional<RecoverReport> recover_now() {
    auto host = bench.host.host();
    auto report = recover(bench.desired.kinds, host, bench.log);
    if (!report) throw std::runtime_error(report.error().message);
    return *std::move(report);
  }

  ToyBench bench;
};

TEST_F(Trial, WaitsToBeConfirmedUntilItsTimeIsOver) {
  const auto report = bench.run(tried);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::converged);
  EXPECT_EQ(report->confirm_within, time_to_confirm);
  ASSERT_TRUE(journal().has_value());
  EXPECT_TRUE(journal()->header().trial);
  EXPECT_EQ(time_left(), time_to_confirm);
  bench.host.wait(seconds(299));
  EXPECT_EQ(time_left(), seconds(1));
  bench.host.wait(seconds(2));
  EXPECT_EQ(time_left(), seconds(0));
}

TEST_F(Trial, ItsTimeCountsFromItsEnd) {
  bench.world->during = [&](const Step&) { bench.host.wait(seconds(100)); };
  ASSERT_TRUE(bench.run(tried).has_value());
  EXPECT_EQ(time_left(), time_to_confirm);
}

TEST_F(Trial, ABootEndsItsTime) {
  ASSERT_TRUE(bench.run(tried).has_value());
  bench.host.put("/proc/sys/kernel/random/boot_id", "the next boot\n");
  EXPECT_EQ(time_left(), seconds(0));
}

TEST_F(Trial, IsUndoneInAnotherProcess) {
  ASSERT_TRUE(bench.run(tried).has_value());
  const auto report = recover_now();
  ASSERT_TRUE(report && report->complete() && report->ended);
  EXPECT_TRUE(report->run.trial);
  EXPECT_THAT(report->rolled.undone, ElementsAre("two", "one"));
  EXPECT_THAT(bench.world->facts, IsEmpty());
  EXPECT_FALSE(journal().has_value());
}

TEST_F(Trial, ThatHasDoneNothingWaitsForNothing) {
  ASSERT_TRUE(bench.run().has_value());
  const auto again = bench.run(tried);
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->confirm_within.has_value());
  EXPECT_FALSE(journal().has_value());
}

TEST_F(Trial, ThatFailsIsUndoneAtOnce) {
  bench.world->failing["two"] = {ErrorKind::io, "no"};
  const auto report = bench.run(tried);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::undone);
  EXPECT_FALSE(report->confirm_within.has_value());
  EXPECT_THAT(bench.world->facts, IsEmpty());
  EXPECT_FALSE(journal().has_value());
}

TEST_F(Trial, ThatIsInterruptedIsOneOfWhatItHasComeTo) {
  std::atomic<bool> interrupted = false;
  bench.world->during = [&](const Step&) { interrupted = true; };
  auto options = tried;
  options.executor.interrupted = &interrupted;
  const auto report = bench.run(options);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->result, RunReport::Result::interrupted);
  EXPECT_EQ(report->confirm_within, time_to_confirm);
  EXPECT_EQ(time_left(), time_to_confirm);
  EXPECT_THAT(recover_now()->rolled.undone, ElementsAre("one"));
  EXPECT_THAT(bench.world->facts, IsEmpty());
}

TEST_F(Trial, ThatIsKilledIsAnInterruptedRunThatNobodyCanConfirm) {
  bench.world->during = [](const Step& step) {
    if (step.title == "two") throw Killed{};
  };
  EXPECT_THROW((void)bench.run(tried), Killed);
  ASSERT_TRUE(journal().has_value());
  EXPECT_TRUE(journal()->header().trial);
  EXPECT_FALSE(journal()->awaits_confirmation());
  const auto report = recover_now();
  ASSERT_TRUE(report && report->complete() && report->ended);
  EXPECT_THAT(bench.world->facts, IsEmpty());
}

}  // namespace
}  // namespace gpuhost::testing
