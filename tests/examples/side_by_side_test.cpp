#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "examples/host_differences.hpp"

namespace gpuhost::testing {
namespace {

class SideBySide : public ::testing::TestWithParam<Example> {};

TEST_P(SideBySide, TheReportAndTheHostAreThoseOfOneWorker) {
  const auto document = document_at(GetParam().document);
  SimHost alone(host_named(GetParam().host));
  Witness witness;
  const auto expected = apply(document, alone, witness);
  for (const unsigned workers : {2U, 3U, 16U}) {
    SCOPED_TRACE(workers);
    SimHost sim(host_named(GetParam().host));
    const auto report = apply(document, sim, witness, {.executor = {.workers = workers}});
    EXPECT_EQ(report.result, expected.result);
    EXPECT_EQ(report.changed, expected.changed);
    EXPECT_EQ(report.rounds, expected.rounds);
    EXPECT_EQ(report.held, expected.held);
    EXPECT_EQ(report.errors, expected.errors);
    EXPECT_THAT(differences(alone.file(), sim.file()), ::testing::IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, SideBySide, ::testing::ValuesIn(examples_in(examples)),
                         [](const auto& one) { return test_name(one.param); });

}  // namespace
}  // namespace gpuhost::testing
