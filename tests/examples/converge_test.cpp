#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "examples/applying.hpp"
#include "host/sim/recorder.hpp"
#include "render/plan.hpp"
#include "support/plan_titles.hpp"

namespace gpuhost::testing {
namespace {

class Converging : public ::testing::TestWithParam<Example> {
 protected:
  DecodedDocument document = document_at(GetParam().document);
  HostFile before = host_named(GetParam().host);
};

TEST_P(Converging, PlanAfterApplyIsEmptyAndTheSecondApplyWritesNothing) {
  SimHost sim(before);
  const auto report = apply(document, sim);
  EXPECT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
  const auto after = plan_once(document.desired, sim.view());
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(after->empty()) << plan_text(*after, {});
  for (const auto& finding : after->findings)
    EXPECT_EQ(finding.verdict, Finding::Verdict::in_sync) << finding.address;

  const auto written = writes(sim).size();
  EXPECT_TRUE(settled(apply(document, sim)));
  EXPECT_EQ(writes(sim).size(), written);
}

TEST_P(Converging, ThePlanReadsAsItShould) {
  const SimHost sim(before);
  const auto printed = plan_text(*plan_once(document.desired, sim.view()), {});
  EXPECT_EQ(printed, expected_plan(GetParam(), printed));
}

TEST_P(Converging, PlanningWritesNothingAndIsTheSameTwice) {
  const SimHost sim(before);
  const auto first = plan_once(document.desired, sim.view());
  const auto second = plan_once(document.desired, sim.view());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(plan_json(*first), plan_json(*second));
  EXPECT_THAT(writes(sim), ::testing::IsEmpty());
}

TEST_P(Converging, NoFileIsReadTwiceInALook) {
  const SimHost sim(before);
  ASSERT_TRUE(plan_once(document.desired, sim.view()).has_value());
  std::map<std::string, int> reads;
  for (const auto& access : sim.accesses())
    if (access.call == "files.read") ++reads[access.object];
  for (const auto& [path, count] : reads) EXPECT_EQ(count, 1) << path;
}

TEST_P(Converging, ARecordedHostGivesTheSamePlan) {
  const SimHost sim(before);
  const auto live = plan_once(document.desired, sim.view());
  const auto recorded = record_host(sim.view(), [&](const HostView& view) {
    [[maybe_unused]] const auto seen = observe_all(document.desired.kinds, view);
  });
  const SimHost again(recorded);
  const auto replayed = plan_once(document.desired, again.view());
  ASSERT_TRUE(live && replayed);
  EXPECT_EQ(plan_json(*live), plan_json(*replayed));
}

TEST_P(Converging, AWrittenBackHostIsTheSameHost) {
  SimHost sim(before);
  apply(document, sim);
  Diagnostics diagnostics;
  const auto source = diagnostics.add_source({"written back", write_host_file(sim.file())});
  const auto again = decode_host_file(source, diagnostics);
  ASSERT_TRUE(again.has_value()) << diagnostics.render();
  EXPECT_EQ(write_host_file(*again), write_host_file(sim.file()));
  const SimHost reread(*again);
  const auto plan = plan_once(document.desired, reread.view());
  ASSERT_TRUE(plan.has_value());
  EXPECT_TRUE(plan->empty());
}

/// A sanitizer makes each run many times as long: there it is a sample.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t most_faults = 4;
#else
constexpr std::size_t most_faults = 100'000;
#endif

/// Configuration that is not as before.
std::vector<std::string> changed_configuration(const HostFile& now, const HostFile& before) {
  std::vector<std::string> changed;
  const auto compare = [&](const HostFile& one, const HostFile& other) {
    for (const auto& [path, entry] : one.files) {
      const auto* text = std::get_if<HostFile::Text>(&entry);
      if (text == nullptr || !path.starts_with("/etc/")) continue;
      const auto found = other.files.find(path);
      const auto* same = found == other.files.end() ? nullptr : std::get_if<HostFile::Text>(&found->second);
      if (same == nullptr || same->content != text->content) changed.push_back(path);
    }
  };
  compare(now, before);
  compare(before, now);
  return changed;
}

/// Sorted: a guest that was stopped and started again has what its definition names, which may order the
/// steps of the next plan otherwise.
std::vector<std::string> sorted_titles(const Plan& plan) {
  auto sorted = titles(plan);
  std::ranges::sort(sorted);
  return sorted;
}

/// Every write the apply makes fails once, each in its own run: a failed run says so, what it has done is
/// undone unless it says what holds, and the next one converges.
TEST_P(Converging, AFailureOfAnyWriteIsUndoneAndTheNextRunConverges) {
  SimHost whole(before);
  apply(document, whole);
  const auto calls = writes(whole);
  const auto steps = sorted_titles(*plan_once(document.desired, SimHost(before).view()));
  std::map<std::string, unsigned> seen;
  std::size_t at = 0;
  for (const auto& call : calls) {
    const unsigned nth = ++seen[call];
    if (at++ % (calls.size() / most_faults + 1) != 0) continue;
    SimHost sim(before);
    sim.inject(call, nth, {ErrorKind::io, "injected"});
    const auto failed = apply(document, sim);
    EXPECT_TRUE(failed.result == RunReport::Result::undone || failed.result == RunReport::Result::failed)
        << call << " " << nth << ": " << to_string(failed.result);
    if (failed.result == RunReport::Result::undone || !failed.changed) {
      EXPECT_THAT(changed_configuration(sim.file(), before), ::testing::IsEmpty()) << call << " " << nth;
      EXPECT_FALSE(sim.file().files.contains(Journal::path)) << call << " " << nth;
      EXPECT_EQ(sorted_titles(*plan_once(document.desired, sim.view())), steps) << call << " " << nth;
    } else {
      EXPECT_TRUE(!failed.held.empty() || failed.errors.back().contains("does not read as before"))
          << call << " " << nth;
    }
    EXPECT_THAT(failed.errors, ::testing::Contains(::testing::HasSubstr("injected"))) << call << " " << nth;
    const auto mended = apply(document, sim);
    EXPECT_TRUE(settled(mended)) << call << " " << nth << ": " << ::testing::PrintToString(mended.errors);
    EXPECT_TRUE(plan_once(document.desired, sim.view())->empty()) << call << " " << nth;
  }
}

/// Steps are undone backwards: the module is loaded again while the line that blocks it still stands.
TEST(Undoing, ABlockIsNotInTheWayOfTheModuleThatTheSameRunHasUnloaded) {
  SimHost sim(host_named("fresh-debian"));
  sim.inject("units.stop ksmtuned.service", 1, {ErrorKind::io, "injected"});
  const auto report = apply(document_from("blocks.yaml", R"(
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: blocks}
policy: {disruption: stop-units}
kernel: {modules: {nouveau: {state: blocked}}}
units: {ksmtuned.service: {state: inactive}}
)"),
                            sim);
  EXPECT_THAT(writes(sim), ::testing::IsSupersetOf({"modules.unload nouveau", "modules.load_again nouveau"}));
  EXPECT_EQ(report.result, RunReport::Result::undone) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(sim.view().modules.loaded()->contains("nouveau"));
}

/// A document of the same name that names nothing gives everything back.
TEST_P(Converging, WhatTheDocumentDropsIsGivenBack) {
  SimHost sim(before);
  apply(document, sim);
  const auto report = apply(emptied(document), sim);
  EXPECT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
  const SimHost untouched(before);
  for (const std::string path : {"/etc/modprobe.d/zz-gpuhost.conf", "/etc/modules-load.d/gpuhost.conf",
                                 "/etc/default/grub.d/zz-gpuhost.cfg"})
    EXPECT_FALSE(*sim.view().files.exists(path)) << path;
  // Words may come back in another order: only among those of one key does it mean something.
  const auto sorted_words = [](const std::string& text) {
    const auto parts = words(text);
    std::vector<std::string> sorted(parts.begin(), parts.end());
    std::ranges::sort(sorted);
    return sorted;
  };
  for (const std::string path : {"/proc/cmdline", "/etc/default/grub", "/etc/kernel/cmdline"}) {
    const auto then = untouched.view().files.read(path);
    if (!then) continue;
    EXPECT_EQ(sorted_words(sim.view().files.read(path).value_or("")), sorted_words(*then)) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, Converging, ::testing::ValuesIn(examples_in(examples)),
                         [](const auto& one) { return test_name(one.param); });

class Refused : public ::testing::TestWithParam<Example> {};

TEST_P(Refused, IsNotApplyableSaysWhyAndTouchesNothing) {
  Diagnostics problems;
  problems.add_source({GetParam().document.filename(), text_of(GetParam().document)});
  if (!decode_document(problems)) {
    const auto printed = problems.render();
    EXPECT_EQ(printed, expected_plan(GetParam(), printed));
    return;
  }
  const auto document = document_at(GetParam().document);
  SimHost sim(host_named(GetParam().host));
  const auto plan = plan_once(document.desired, sim.view());
  ASSERT_TRUE(plan.has_value());
  const auto report = apply(document, sim);
  const auto printed = plan_text(*plan, {});
  EXPECT_EQ(printed, expected_plan(GetParam(), printed));
  if (document.unsupported.empty()) {
    EXPECT_FALSE(plan->applyable()) << plan_text(*plan, {});
    EXPECT_EQ(report.result, RunReport::Result::refused);
    EXPECT_FALSE(report.errors.empty());
  }
  EXPECT_THAT(writes(sim), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Examples, Refused, ::testing::ValuesIn(examples_in(examples / "refused")),
                         [](const auto& one) { return test_name(one.param); });

}  // namespace
}  // namespace gpuhost::testing
