#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "examples/applying.hpp"
#include "render/plan.hpp"
#include "support/plan_titles.hpp"

// vGPUs of several sizes on simulated hosts: the mode, where they lie, and what does not go together.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Result = RunReport::Result;

const PciAddress left = *PciAddress::parse("0000:41:00.0");
const PciAddress first_a40 = *PciAddress::parse("0000:21:00.0");
const PciAddress first_h100 = *PciAddress::parse("0000:1b:00.0");

DecodedDocument on_gpu(const PciAddress& gpu, const std::string& entry, const std::string& more = {}) {
  return document_from("mixed",
                       fmt::format("apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {{name: kvm}}\n"
                                   "policy: {{disruption: reload-driver}}\n{}gpus:\n"
                                   "  - {{name: left, match: {{address: \"{}\"}}, mode: vgpu, {}}}\n",
                                   more, gpu.to_string(), entry));
}

DecodedDocument wanting(const std::string& entry, const std::string& more = {}) {
  return on_gpu(left, entry, more);
}

bool mixed_on(const SimHost& sim, const PciAddress& gpu = left) {
  return sim.file().machine.gpus.at(gpu).mixed_sizes;
}

/// "A100-20C at 0", in whatever way the vGPUs are made.
std::vector<std::string> lying_on(const SimHost& sim) {
  std::vector<std::string> lying;
  const auto view = sim.view();
  for (const auto& uuid : view.files.list("/sys/bus/mdev/devices").value_or(std::vector<std::string>{})) {
    const auto at = "/sys/bus/mdev/devices/" + uuid;
    lying.push_back(fmt::format("{} at {}",
                                split(trim(view.files.read(at + "/mdev_type/name").value_or("")), ' ')[1],
                                trim(view.files.read(at + "/nvidia/placement_id").value_or("nowhere"))));
  }
  return lying;
}

std::string blocked_by(const Plan& plan) {
  std::string reasons;
  for (const auto& planned : plan.steps)
    for (const auto& reason : planned.step.blocked_by) reasons += reason + "\n";
  return reasons;
}

std::vector<std::string> errors_of(const Plan& plan) {
  std::vector<std::string> errors;
  for (const auto& note : plan.notes)
    if (note.severity == Note::Severity::error) errors.push_back(note.message);
  return errors;
}

TEST(MixedSizes, AreMadeOnceAndAgainAfterABoot) {
  SimHost sim(host_named("kvm-a100-pair"));
  const auto document =
      wanting("sizes: mixed, vgpus: [{name: a, type: A100-8C, placement: [12]}, {name: b, type: A100-20C}]");
  const auto lie = UnorderedElementsAre("A100-8C at 12", "A100-20C at 20");
  for (int boots = 0; boots < 2; ++boots) {
    const auto report = apply(document, sim);
    EXPECT_EQ(report.result, Result::converged) << ::testing::PrintToString(report.errors);
    EXPECT_TRUE(mixed_on(sim));
    EXPECT_THAT(lying_on(sim), lie);
    const auto plan = plan_once(document.desired, sim.view());
    EXPECT_TRUE(plan->empty()) << plan_text(*plan, {});
    EXPECT_TRUE(sim.reboot());
    EXPECT_FALSE(mixed_on(sim));
  }
}

TEST(MixedSizes, FunctionsHaveThemToo) {
  SimHost sim(host_named("kvm-h100-x8"));
  const auto document = on_gpu(first_h100,
                               "sizes: mixed, vgpus: [{name: a, type: H100XM-40C}, {name: b, type: "
                               "H100XM-8C, count: 2, placement: [72, 40]}]");
  EXPECT_EQ(apply(document, sim).result, Result::converged);
  EXPECT_TRUE(mixed_on(sim, first_h100));
  const auto plan = plan_once(document.desired, sim.view());
  EXPECT_TRUE(plan->empty()) << plan_text(*plan, {});
  const auto moved = on_gpu(first_h100,
                            "sizes: mixed, vgpus: [{name: a, type: H100XM-40C}, {name: b, type: H100XM-8C, "
                            "count: 2, placement: [40, 72]}]");
  EXPECT_EQ(apply(moved, sim).result, Result::converged) << "each takes the other's place";
  EXPECT_TRUE(plan_once(moved.desired, sim.view())->empty());
}

TEST(MixedSizes, ComeWhenTheVgpusOfOneSizeHaveGone) {
  SimHost sim(host_named("kvm-a100-pair"));
  ASSERT_EQ(apply(wanting("vgpus: [{name: a, type: A100-10C, count: 2}]"), sim).result, Result::converged);
  const auto document =
      wanting("sizes: mixed, vgpus: [{name: a, type: A100-10C, count: 2}, {name: b, type: A100-20C}]");
  const auto plan = plan_once(document.desired, sim.view());
  EXPECT_THAT(titles(*plan),
              ElementsAre("remove vGPU a/0 (A100-10C) from left", "remove vGPU a/1 (A100-10C) from left",
                          "let vGPUs of mixed sizes share GPU left", "create vGPU a/0 (A100-10C) on left",
                          "create vGPU a/1 (A100-10C) on left", "create vGPU b/0 (A100-20C) on left"));
  EXPECT_EQ(apply(document, sim).result, Result::converged);
  EXPECT_THAT(lying_on(sim), UnorderedElementsAre("A100-10C at 0", "A100-10C at 10", "A100-20C at 20"));
  const auto back = wanting("sizes: equal, vgpus: [{name: a, type: A100-10C, count: 4}]");
  EXPECT_EQ(apply(back, sim).result, Result::converged);
  EXPECT_FALSE(mixed_on(sim));
}

TEST(MixedSizes, WhoIsThereKeepsItsPlaceUnlessItIsInTheWay) {
  SimHost sim(host_named("kvm-a100-pair"));
  ASSERT_EQ(apply(wanting("sizes: mixed, vgpus: [{name: a, type: A100-4C, placement: [6]}, "
                          "{name: b, type: A100-4C, placement: [26]}]"),
                  sim)
                .result,
            Result::converged);
  const std::string apart = "sizes: mixed, vgpus: [{name: a, type: A100-4C}, {name: b, type: A100-4C}, ";
  ASSERT_EQ(apply(wanting(apart + "{name: c, type: A100-8C}]"), sim).result, Result::converged);
  EXPECT_THAT(lying_on(sim), UnorderedElementsAre("A100-4C at 6", "A100-4C at 26", "A100-8C at 12"));
  const auto large = wanting(apart + "{name: d, type: A100-20C}]");
  ASSERT_EQ(apply(large, sim).result, Result::converged);
  EXPECT_THAT(lying_on(sim), UnorderedElementsAre("A100-4C at 6", "A100-4C at 0", "A100-20C at 20"));
}

TEST(MixedSizes, ThatFindNoRoomAreRefusedWithWhatWould) {
  const SimHost sim(host_named("kvm-a100-pair"));
  const auto plan =
      plan_once(wanting("sizes: mixed, vgpus: [{name: a, type: A100-20C}, {name: b, type: A100-8C}, "
                        "{name: c, type: A100-20C}]")
                    .desired,
                sim.view());
  EXPECT_THAT(
      blocked_by(*plan),
      HasSubstr(
          "vGPU c/0 finds no room on GPU left (NVIDIA A100 PCIe 40GB, 0000:41:00.0): A100-20C has 20 GB and "
          "lies at 0, 20, and beside 1 A100-20C, 1 A100-8C nothing of that is free; choose one that fits "
          "there: A100-10C, A100-8C, A100-5C, A100-4C"));
}

TEST(MixedSizes, LieWhereTheDriverPutsThemIfOnlyItKnowsWhere) {
  SimHost sim(host_named("kvm-a40-x4"));
  const std::string two = "sizes: mixed, vgpus: [{name: a, type: A40-24Q}, {name: b, type: A40-8Q, count: 2}";
  const auto document = on_gpu(first_a40, two + "]");
  const auto report = apply(document, sim);
  EXPECT_EQ(report.result, Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(mixed_on(sim, first_a40));
  EXPECT_TRUE(plan_once(document.desired, sim.view())->empty());
  const auto reasons = [&](const std::string& entry) {
    return blocked_by(*plan_once(on_gpu(first_a40, entry).desired, sim.view()));
  };
  EXPECT_THAT(reasons(two + ", {name: c, type: A40-12Q}]"), HasSubstr("have 52 GB together, and it has 48"));
  EXPECT_THAT(reasons("sizes: mixed, vgpus: [{name: a, type: A40-4C, count: 9}]"),
              HasSubstr("in mixed-size mode 8 of A40-4C fit on GPU left"));
}

TEST(MixedSizes, PlacementsThatCannotBeAreRefused) {
  const SimHost sim(host_named("kvm-a100-pair"));
  const auto reasons = [&](const std::string& vgpus) {
    return blocked_by(*plan_once(wanting("sizes: mixed, vgpus: [" + vgpus + "]").desired, sim.view()));
  };
  EXPECT_THAT(reasons("{name: a, type: A100-8C, placement: [8]}"),
              HasSubstr("vGPU a/0 shall lie at 8, where no A100-8C can: it lies at 0, 12, 20, 32 on"));
  EXPECT_THAT(
      reasons("{name: a, type: A100-8C, placement: [12]}, {name: b, type: A100-10C, placement: [10]}"),
      HasSubstr("8 GB from 12 on for vGPU a/0 and 10 GB from 10 on for vGPU b/0 overlap"));
}

TEST(MixedSizes, NeedABoardThatHasThemAndMigOff) {
  SimHost m60(host_named("kvm-m60"));
  const auto refused = plan_once(
      on_gpu(*PciAddress::parse("0000:3d:00.0"), "sizes: mixed, vgpus: [{name: a, type: M60-1Q}]").desired,
      m60.view());
  EXPECT_FALSE(refused->applyable());
  EXPECT_THAT(errors_of(*refused), Contains("GPU left (Tesla M60) has no mixed-size mode"));

  SimHost sim(host_named("kvm-a100-pair"));
  ASSERT_EQ(apply(wanting("mig: [{profile: 3g.20gb}]"), sim).result, Result::converged);
  const auto with_mig =
      plan_once(wanting("sizes: mixed, vgpus: [{name: a, type: A100-8C}]").desired, sim.view());
  EXPECT_THAT(
      errors_of(*with_mig),
      Contains("MIG is on on GPU left (NVIDIA A100 PCIe 40GB), which has no vGPUs of mixed sizes then"));
  const auto document =
      wanting("mig: disabled, sizes: mixed, vgpus: [{name: a, type: A100-8C}, {name: b, type: A100-20C}]");
  const auto report = apply(document, sim);
  EXPECT_EQ(report.result, Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(mixed_on(sim));
}

TEST(MixedSizes, DoNotGoWithTheFixedShareScheduler) {
  auto file = host_named("kvm-a100-pair");
  file.machine.gpus.at(left).scheduler.policy = VgpuScheduler::Policy::fixed_share;
  SimHost sim(file);
  const std::string mixed = "sizes: mixed, vgpus: [{name: a, type: A100-8C}]";
  EXPECT_THAT(blocked_by(*plan_once(wanting(mixed).desired, sim.view())), HasSubstr("is fixed-share"));
  EXPECT_EQ(apply(wanting(mixed + ", scheduler: {policy: equal-share}"), sim).result, Result::converged);
}

TEST(MixedSizes, StayWithTheVgpusAndAreGivenBackAfterThem) {
  SimHost sim(host_named("kvm-a100-pair"));
  const std::string vgpus = "vgpus: [{name: a, type: A100-8C}, {name: b, type: A100-20C}]";
  ASSERT_EQ(apply(wanting("sizes: mixed, " + vgpus), sim).result, Result::converged);
  EXPECT_TRUE(plan_once(wanting(vgpus).desired, sim.view())->empty()) << "they are made as they are";
  EXPECT_EQ(apply(wanting("vgpus: []"), sim).result, Result::converged);
  EXPECT_FALSE(mixed_on(sim));
  EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
}

TEST(MixedSizes, ComeBackWhenTheDriverDoes) {
  SimHost sim(host_named("kvm-a100-pair"));
  const std::string entry =
      "sizes: mixed, vgpus: [{name: a, type: A100-8C, placement: [32]}, {name: b, type: A100-20C}]";
  ASSERT_EQ(apply(wanting(entry), sim).result, Result::converged);
  const auto upgrade =
      wanting(entry,
              "driver: {flavor: vgpu-manager, product: nvaie, release: \"19.5\", source: {runfile: "
              "/srv/nvidia/NVIDIA-Linux-x86_64-580.159.01-vgpu-kvm-aie.run, sha256: "
              "0d4f0afd2a9a60dbd75247adc7c9a21084c0005cdc48adb380c90b9a3ea19217}}\n");
  const auto report = apply(upgrade, sim);
  EXPECT_EQ(report.result, Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(mixed_on(sim));
  EXPECT_THAT(lying_on(sim), UnorderedElementsAre("A100-8C at 32", "A100-20C at 0"));
}

}  // namespace
}  // namespace gpuhost::testing
