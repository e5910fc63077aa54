#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "examples/applying.hpp"
#include "examples/random.hpp"
#include "render/plan.hpp"

// What cannot be read is unknown, which is not false.

namespace gpuhost::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;

/// One of the calls that read, as inject() takes it.
struct Read {
  std::string call;
  unsigned nth;
};

/// Of the reads that were made, in order, about as many as `usual`, or as GPUHOST_READS says.
std::vector<Read> reads_of(const SimHost& sim, unsigned usual) {
  const std::size_t most = number_in_environment("GPUHOST_READS", usual / sanitizer_share);
  std::vector<Read> all;
  std::map<std::string, unsigned> seen;
  for (const auto& access : sim.accesses()) {
    const auto call = access.call + " " + access.object;
    if (!access.write) all.push_back({call, ++seen[call]});
  }
  std::vector<Read> some;
  const auto stride = all.size() / most + 1;
  for (std::size_t at = 0; at < all.size(); at += stride) some.push_back(all[at]);
  return some;
}

/// What each step does to what, "update gpu[left].ecc": one may do it another way where it knows less.
std::vector<std::string> deeds_of(const Plan& plan) {
  std::vector<std::string> deeds;
  for (const auto& planned : plan.steps)
    deeds.push_back(join(planned.step.actions, " and ") + " " + planned.step.action.address);
  return deeds;
}

class Unreadable : public ::testing::TestWithParam<Example> {
 protected:
  /// A plan for which one read has failed has only steps that the host needs anyway, or does not run.
  void expect_no_other_steps(const HostFile& host, const std::vector<std::string>& known) const {
    const SimHost whole(host);
    ASSERT_TRUE(plan_once(document.desired, whole.view()).has_value());
    for (const auto& [call, nth] : reads_of(whole, 200)) {
      SCOPED_TRACE(fmt::format("fails: {} {}", call, nth));
      SimHost sim(host);
      sim.inject(call, nth, {ErrorKind::io, "injected"});
      const auto plan = plan_once(document.desired, sim.view());
      if (plan && plan->applyable()) {
        EXPECT_THAT(deeds_of(*plan), IsSubsetOf(known)) << plan_text(*plan, {});
      } else if (!plan) {
        EXPECT_THAT(plan.error().sentence(), HasSubstr("injected"));
      }
      EXPECT_THAT(writes(sim), IsEmpty());
    }
  }

  DecodedDocument document = document_at(GetParam().document);
  HostFile before = host_named(GetParam().host);
};

TEST_P(Unreadable, GivesNoStepThatWouldNotBeThereOtherwise) {
  expect_no_other_steps(before, deeds_of(*plan_once(document.desired, SimHost(before).view())));
}

TEST_P(Unreadable, ChangesNothingOnAHostThatIsAsTheDocumentSays) {
  SimHost sim(before);
  apply(document, sim);
  expect_no_other_steps(sim.file(), {});
}

TEST_P(Unreadable, AtAnyMomentOfARunLeavesWhatTheNextRunMends) {
  SimHost whole(before);
  apply(document, whole);
  for (const auto& [call, nth] : reads_of(whole, 40)) {
    SCOPED_TRACE(fmt::format("fails: {} {}", call, nth));
    SimHost sim(before);
    sim.inject(call, nth, {ErrorKind::io, "injected"});
    try {
      const auto report = apply(document, sim);
      EXPECT_TRUE(settled(report) || !report.errors.empty());
    } catch (const std::runtime_error& refused) {
      EXPECT_STRNE(refused.what(), "");
    }
    const auto mended = apply(document, sim);
    EXPECT_TRUE(settled(mended)) << ::testing::PrintToString(mended.errors);
    EXPECT_TRUE(plan_once(document.desired, sim.view())->empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, Unreadable, ::testing::ValuesIn(examples_in(examples)),
                         [](const auto& one) { return test_name(one.param); });

}  // namespace
}  // namespace gpuhost::testing
