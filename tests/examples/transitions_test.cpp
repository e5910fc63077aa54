#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "render/plan.hpp"

namespace gpuhost::testing {
namespace {

/// A folder of documents, 1.yaml, 2.yaml …: versions of one that are applied to a host one after another.
std::vector<Example> transitions() {
  std::vector<Example> cases;
  for (const auto& host : std::filesystem::directory_iterator(source_folder() / "tests/cases/transitions"))
    for (const auto& folder : std::filesystem::directory_iterator(host.path()))
      cases.push_back({host.path().filename(), folder.path()});
  std::ranges::sort(cases, {}, &Example::document);
  return cases;
}

class Transition : public ::testing::TestWithParam<Example> {};

TEST_P(Transition, EachVersionConvergesAndIsThenInSync) {
  SimHost sim(host_named(GetParam().host));
  unsigned version = 1;
  const auto path = [&] { return GetParam().document / (std::to_string(version) + ".yaml"); };
  for (; std::filesystem::exists(path()); ++version) {
    const auto document = document_at(path());
    const auto report = apply(document, sim);
    EXPECT_TRUE(settled(report)) << path() << ::testing::PrintToString(report.errors);
    EXPECT_EQ(report.rounds, 2U) << path() << ": the second round was to find nothing left to do";
    const auto after = plan_once(document.desired, sim.view());
    ASSERT_TRUE(after.has_value());
    EXPECT_TRUE(after->empty()) << path() << plan_text(*after, {});
  }
  EXPECT_GT(version, 2U);
}

INSTANTIATE_TEST_SUITE_P(Cases, Transition, ::testing::ValuesIn(transitions()),
                         [](const auto& one) { return test_name(one.param); });

}  // namespace
}  // namespace gpuhost::testing
