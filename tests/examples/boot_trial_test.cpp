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

constexpr const char* fallback = "kernel.boot_loader.fallback";

/// Debian's host with GRUB.
HostFile with_grub() {
  return host_named("fresh-debian");
}

/// The same with systemd-boot in place of GRUB.
HostFile with_systemd_boot() {
  auto file = host_named("fresh-debian");
  std::erase_if(file.files, [](const auto& entry) { return entry.first.contains("grub"); });
  const std::string options = "root=UUID=6f7c2a54-0d5e-4a2b-9d7e-3a1f0c8e5b21 ro quiet intel_iommu=off";
  file.files["/boot/loader/entries/4c4f-6.1.0-18-amd64.conf"] = HostFile::Text{
      "title Debian\nversion 6.1.0-18-amd64\nlinux /4c4f/6.1.0-18-amd64/linux\noptions " + options + "\n"};
  file.files["/etc/kernel/cmdline"] = HostFile::Text{options + "\n"};
  file.files["/proc/cmdline"] = HostFile::Text{"initrd=\\4c4f\\6.1.0-18-amd64\\initrd.img " + options + "\n"};
  file.files["/lib/modules/6.1.0-18-amd64/vmlinuz"] = HostFile::Text{};
  for (const char* program : {"/usr/bin/bootctl", "/usr/bin/kernel-install"})
    file.files[program] = HostFile::Text{{}, 0755};
  file.files["/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"] =
      HostFile::Text{"info"};
  return file;
}

DecodedDocument with(const std::string& parameters) {
  return document_from("boot.yaml",
                       "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: boot}\n"
                       "policy: {disruption: reboot}\nkernel: {parameters: {" +
                           parameters + "}}\n");
}

HostFile panicking_with(const std::string& word, HostFile file) {
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
  return std::ranges::any_of(sim.file().files, [](const auto& entry) {
    return entry.first.ends_with("/custom.cfg") || entry.first.ends_with("/gpuhost-fallback.conf");
  });
}

bool has_error(const Plan& plan) {
  return std::ranges::any_of(plan.notes, [](const Note& note) {
    return note.severity == Note::Severity::error && note.address == fallback;
  });
}

/// The parameter makes a host with a loader that can try entries.
class BootTrial : public ::testing::TestWithParam<HostFile (*)()> {
 protected:
  static HostFile made() { return GetParam()(); }
};

TEST_P(BootTrial, WhatComesUpBecomesTheDefaultOnceTheHostIsAsTheDocumentSays) {
  SimHost sim(made());
  const auto document = with("intel_iommu: \"on\", iommu: pt");
  EXPECT_EQ(apply(document, sim).result, RunReport::Result::converged);
  EXPECT_FALSE(tries(sim));
  ASSERT_TRUE(sim.reboot());
  EXPECT_THAT(running(sim), HasSubstr("intel_iommu=on"));
  EXPECT_TRUE(plan_once(document.desired, sim.view())->empty());
}

TEST_P(BootTrial, UntilThenEveryLaterBootTakesWhatRanBefore) {
  SimHost sim(made());
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

TEST_P(BootTrial, WhatDoesNotComeUpIsBootedOnceAndRefusedFromThenOn) {
  SimHost sim(panicking_with("iommu=pt", made()));
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

TEST_P(BootTrial, AnotherDocumentIsTriedAnew) {
  SimHost sim(panicking_with("iommu=pt", made()));
  ASSERT_EQ(apply(with("iommu: pt"), sim).result, RunReport::Result::failed);
  EXPECT_EQ(apply(with("hugepages: \"8\""), sim).result, RunReport::Result::converged);
  EXPECT_FALSE(tries(sim));
  EXPECT_THAT(running(sim), HasSubstr("hugepages=8"));
  EXPECT_THAT(running(sim), Not(HasSubstr("iommu=pt")));
}

TEST_P(BootTrial, WhatIsGivenBackBeforeItsTrialLeavesNothing) {
  for (const bool after_the_boot : {false, true}) {
    SimHost sim(made());
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

TEST_P(BootTrial, AnotherDocumentDoesNotEndIt) {
  for (const bool comes_up : {true, false}) {
    SimHost sim(comes_up ? made() : panicking_with("iommu=pt", made()));
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

TEST_P(BootTrial, AStepThatFailsBesideItUndoesIt) {
  SimHost sim(made());
  const auto* command = GetParam() == &with_grub ? "commands.run /usr/sbin/update-grub"
                                                 : "commands.run /usr/bin/kernel-install";
  sim.inject(command, 1, {ErrorKind::io, "no space left on device"});
  const auto report = apply(with("iommu: pt"), sim);
  EXPECT_EQ(report.result, RunReport::Result::undone) << ::testing::PrintToString(report.errors);
  EXPECT_FALSE(tries(sim));
}

TEST_P(BootTrial, NothingIsTriedThatRunsAlready) {
  SimHost sim(made());
  const auto document = with("quiet: {state: present}");
  const auto plan = *plan_once(document.desired, sim.view());
  EXPECT_THAT(plan.steps, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Loaders, BootTrial, ::testing::Values(&with_grub, &with_systemd_boot),
                         [](const auto& loader) {
                           return loader.param == &with_grub ? "GRUB" : "systemd_boot";
                         });

}  // namespace
}  // namespace gpuhost::testing
