#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/crashing.hpp"
#include "examples/host_differences.hpp"
#include "examples/random.hpp"

// A process that is killed, and the next one, which knows what is on the host and nothing else.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

class Crashing : public ::testing::TestWithParam<Example> {
 protected:
  DecodedDocument document = document_at(GetParam().document);
  HostFile before = host_named(GetParam().host);
};

/// To the next process all moments between two changes of the host are one, so that this is every call.
TEST_P(Crashing, BeforeAnyChangeIsRecovered) {
  const auto whole = run_whole(document, before);
  const auto stopped_at_the_end = stopped(before, whole.end);
  for (std::size_t nth = 1; nth <= whole.changes; nth += sanitizer_share) {
    SCOPED_TRACE(fmt::format("killed before change {} of {}", nth, whole.changes));
    const auto left = killed_before(document, before, nth);
    ASSERT_TRUE(left.has_value());
    SimHost next(*left);
    const auto recovered = recover_on(next);
    if (!recovered || recovered->complete())
      EXPECT_THAT(whole.rests, Contains(work_left(document, next)));
    else
      EXPECT_THAT(recovered->rolled.held, Not(IsEmpty()));
    EXPECT_THAT(stopped(before, next.file()), ::testing::IsSubsetOf(stopped_at_the_end));
    const auto report = apply(document, next);
    EXPECT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
    if (HasFailure()) return;
  }
}

/// What is tried and not confirmed: for what the plan calls exact, undoing is the identity.
TEST_P(Crashing, WhatIsUndoneIsAsItWas) {
  SimHost sim(before);
  const auto plan = plan_once(document.desired, sim.view());
  ASSERT_TRUE(plan.has_value());
  if (plan->reboot_required()) GTEST_SKIP() << "a boot is not undone";
  Witness witness;
  ASSERT_TRUE(settled(apply(document, sim, witness,
                            {.executor = {.workers = 1}, .confirm_within = std::chrono::minutes{5}})));
  SimHost next(sim.file());
  const auto recovered = recover_on(next);
  if (!recovered) return;  // it had nothing to do
  const bool exact = std::ranges::all_of(plan->steps, [](const PlannedStep& planned) {
    return planned.step.reversible == Reversible::exact && planned.step.affects.empty();
  });
  if (!recovered->complete()) {
    EXPECT_FALSE(exact) << ::testing::PrintToString(recovered->rolled.errors);
    EXPECT_THAT(recovered->rolled.held, Not(IsEmpty()));
    EXPECT_THAT(stopped(before, next.file()), ::testing::IsSubsetOf(stopped(before, sim.file())));
    return;
  }
  EXPECT_THAT(differences(before, next.file()), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Examples, Crashing, ::testing::ValuesIn(examples_in(examples)),
                         [](const auto& one) { return test_name(one.param); });

}  // namespace
}  // namespace gpuhost::testing
