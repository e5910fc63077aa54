#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"

// Kernel parameters that are tried once before they stay, over boots of a simulated host.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* custom_config = "/boot/grub/custom.cfg";
constexpr const char* fallback = "kernel.boot_loader.fallback";

DecodedDocument with(const std::string& parameters) {
  return document_from("boot.yaml",
                       "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: boot}\n"
                       "policy: {disruption: reboot}\nkernel: {parameters: {" +
                           parameters + "}}\n");
}

HostFile panicking_with(const std::string& word) {
  auto file = host_named("fresh-debian");
  file.machine.panics_with = {word};
  return file;
}

/// Applies up to the reboot, which is left to somebody else.
RunReport::Result stage(const DecodedDocument& document, SimHost& sim) {
  auto host = sim.host();
  Witness witness;
  const auto approved = plan_once(document.desired, host.view);
  return reconcile(document.desired, *approved, host, witness, {.executor = {.workers = 1}})->result;
}

std::string running(const SimHost& sim) {
  return sim.view().files.read("/proc/cmdline").value_or("");
}

bool tries(const SimHost& sim) {
  return sim.view().files.exists(custom_config).value_or(false);
}

bool has_error(const Plan& plan) {
  return std::ranges::any_of(plan.notes, [](const Note& note) {
    return note.severity == Note::Severity::error && note.address == fallback;
  });
}

TEST(BootTrial, WhatComesUpBecomesTheDefaultOnceTheHostIsAsTheDocumentSays) {
  SimHost sim(host_named("fresh-debian"));
  const auto document = with("intel_iommu: \"on\", iommu: pt");
  EXPECT_EQ(apply(document, sim).result, RunReport::Result::converged);
  EXPECT_FALSE(tries(sim));
  ASSERT_TRUE(sim.reboot());
  EXPECT_THAT(running(sim), HasSubstr("intel_iommu=on"));
  EXPECT_TRUE(plan_once(document.desired, sim.view())->empty());
}

TEST(BootTrial, UntilThenEveryLaterBootTakesWhatRanBefore) {
  SimHost sim(host_named("fresh-debian"));
  const auto document = with("iommu: pt");
  const auto before = running(sim);
  ASSERT_EQ(stage(document, sim), RunReport::Result::reboot_required);
  ASSERT_TRUE(sim.reboot());
  EXPECT_THAT(running(sim), HasSubstr("iommu=pt"));
  const auto plan = *plan_once(document.desired, sim.view());
  ASSERT_EQ(plan.steps.size(), 1U);
  EXPECT_EQ(plan.steps.front().step.action.address, fallback);
  EXPECT_FALSE(plan.steps.front().step.provisional);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(running(sim), before);
}

TEST(BootTrial, WhatDoesNotComeUpIsBootedOnceAndRefusedFromThenOn) {
  SimHost sim(panicking_with("iommu=pt"));
  const auto document = with("iommu: pt");
  const auto before = running(sim);
  const auto report = apply(document, sim);
  EXPECT_EQ(report.result, RunReport::Result::failed);
  EXPECT_THAT(report.errors, Contains(HasSubstr("did not come up")));
  EXPECT_EQ(running(sim), before);
  EXPECT_TRUE(has_error(report.last));
  const auto changes = writes(sim).size();
  EXPECT_EQ(apply(document, sim).result, RunReport::Result::refused)
      << "no pipeline boots it again and again";
  EXPECT_EQ(writes(sim).size(), changes);
}

TEST(BootTrial, AnotherDocumentIsTriedAnew) {
  SimHost sim(panicking_with("iommu=pt"));
  ASSERT_EQ(apply(with("iommu: pt"), sim).result, RunReport::Result::failed);
  EXPECT_EQ(apply(with("hugepages: \"8\""), sim).result, RunReport::Result::converged);
  EXPECT_FALSE(tries(sim));
  EXPECT_THAT(running(sim), HasSubstr("hugepages=8"));
  EXPECT_THAT(running(sim), Not(HasSubstr("iommu=pt")));
}

TEST(BootTrial, WhatIsGivenBackBeforeItsTrialLeavesNothing) {
  for (const bool after_the_boot : {false, true}) {
    SimHost sim(host_named("fresh-debian"));
    const auto before = running(sim);
    const auto document = with("iommu: pt");
    ASSERT_EQ(stage(document, sim), RunReport::Result::reboot_required);
    if (after_the_boot) {
      ASSERT_TRUE(sim.reboot());
    }
    EXPECT_EQ(apply(emptied(document), sim).result, RunReport::Result::converged);
    EXPECT_FALSE(tries(sim));
    EXPECT_EQ(running(sim), before);
    ASSERT_TRUE(sim.reboot());
    EXPECT_EQ(running(sim), before);
  }
}

TEST(BootTrial, AnotherDocumentDoesNotEndIt) {
  for (const bool comes_up : {true, false}) {
    SimHost sim(comes_up ? host_named("fresh-debian") : panicking_with("iommu=pt"));
    const auto document = with("iommu: pt");
    const auto other = document_from("other.yaml",
                                     "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: other}\n"
                                     "kernel: {parameters: {quiet: {state: present}}}\n");
    ASSERT_EQ(stage(document, sim), RunReport::Result::reboot_required);
    EXPECT_TRUE(plan_once(other.desired, sim.view())->steps.empty());
    ASSERT_TRUE(sim.reboot());
    EXPECT_EQ(plan_once(other.desired, sim.view())->steps.empty(), !comes_up)
        << "what runs is what all documents say, or else not the default";
  }
}

TEST(BootTrial, AStepThatFailsBesideItUndoesIt) {
  SimHost sim(host_named("fresh-debian"));
  sim.inject("commands.run /usr/sbin/update-grub", 1, {ErrorKind::io, "no space left on device"});
  const auto report = apply(with("iommu: pt"), sim);
  EXPECT_EQ(report.result, RunReport::Result::undone) << ::testing::PrintToString(report.errors);
  EXPECT_FALSE(tries(sim));
}

TEST(BootTrial, NothingIsTriedThatRunsAlready) {
  SimHost sim(host_named("fresh-debian"));
  const auto document = with("quiet: {state: present}");
  const auto plan = *plan_once(document.desired, sim.view());
  EXPECT_THAT(plan.steps, IsEmpty());
}

}  // namespace
}  // namespace gpuhost::testing
