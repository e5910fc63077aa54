#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "render/plan.hpp"
#include "support/plan_titles.hpp"

// The vGPU scheduler on simulated hosts: now through the driver, and from its next load on by its registry
// key.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Policy = VgpuScheduler::Policy;

const PciAddress left = *PciAddress::parse("0000:41:00.0");
constexpr const char* modprobe_file = "/etc/modprobe.d/zz-gpuhost.conf";

DecodedDocument wanting(const std::string& entry) {
  return document_from("scheduler",
                       "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: kvm-gpu-11}\n"
                       "policy: {disruption: stop-units}\ngpus:\n"
                       "  - {name: left, match: {address: \"0000:41:00.0\"}, " +
                           entry + "}\n");
}

VgpuScheduler scheduler_on(const SimHost& sim) {
  return sim.file().machine.gpus.at(left).scheduler;
}

std::string modprobe_on(const SimHost& sim) {
  return sim.view().files.read(modprobe_file).value_or("");
}

TEST(SchedulerOnAHost, IsSetNowAndStaysAfterTheBoot) {
  SimHost sim(host_named("kvm-a100-pair"));
  const auto document = wanting("scheduler: {policy: fixed-share, timeslice: 24}");
  const auto report = apply(document, sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  const VgpuScheduler wanted{.policy = Policy::fixed_share, .round_robin = false, .timeslice_ns = 24'000'000};
  EXPECT_EQ(scheduler_on(sim), wanted);
  EXPECT_THAT(
      modprobe_on(sim),
      HasSubstr("\noptions nvidia NVreg_RegistryDwordsPerDevice=pci=0000:41:00.0;RmPVMRL=0x180011\n"));
  EXPECT_FALSE(sim.view().files.exists("/etc/modules-load.d/gpuhost.conf").value());
  EXPECT_TRUE(sim.reboot());
  EXPECT_EQ(scheduler_on(sim), wanted);
  const auto plan = plan_once(document.desired, sim.view());
  EXPECT_TRUE(plan->empty()) << plan_text(*plan, {});
  EXPECT_TRUE(plan->drift.empty()) << "whether the module is loaded is not the document's";
}

TEST(SchedulerOnAHost, KeysOfOthersStayInTheOneOption) {
  auto file = host_named("kvm-a100-pair");
  file.files["/etc/modprobe.d/site.conf"] =
      HostFile::Text{"options nvidia NVreg_RegistryDwordsPerDevice=\"pci=0000:61:00.0;Other=0x2222\"\n"};
  SimHost sim(file);
  const auto document = wanting("scheduler: {policy: equal-share}");
  EXPECT_EQ(apply(document, sim).result, RunReport::Result::converged);
  EXPECT_THAT(modprobe_on(sim),
              HasSubstr("PerDevice=pci=0000:61:00.0;Other=0x2222;pci=0000:41:00.0;RmPVMRL=0x01\n"));
  EXPECT_TRUE(sim.reboot());
  EXPECT_EQ(scheduler_on(sim).policy, Policy::equal_share);
  EXPECT_TRUE(plan_once(document.desired, sim.view())->empty());
}

TEST(SchedulerOnAHost, WithVgpusItWaitsForTheBoot) {
  SimHost sim(host_named("kvm-a100-pair"));
  const std::string vgpus = "mode: vgpu, vgpus: [{name: a, type: A100-10C}]";
  ASSERT_EQ(apply(wanting(vgpus), sim).result, RunReport::Result::converged);
  const auto document = wanting(vgpus + ", scheduler: {policy: equal-share, frequency: 480, averaging: 33}");
  auto host = sim.host();
  Witness witness;
  EXPECT_EQ(reconcile(document.desired, *plan_once(document.desired, sim.view()), host, witness,
                      {.executor = {.workers = 1}})
                ->result,
            RunReport::Result::reboot_required);
  EXPECT_EQ(scheduler_on(sim), VgpuScheduler{});
  EXPECT_TRUE(sim.reboot());
  EXPECT_EQ(
      scheduler_on(sim),
      (VgpuScheduler{.policy = Policy::equal_share, .timeslice_ns = 1'000'000'000 / 480, .averaging = 33}));
  EXPECT_EQ(apply(document, sim).result, RunReport::Result::converged);
}

TEST(SchedulerOnAHost, ComesBeforeTheVgpusOfTheSamePlan) {
  SimHost sim(host_named("kvm-a100-pair"));
  const auto document =
      wanting("mode: vgpu, vgpus: [{name: a, type: A100-10C}], scheduler: {policy: equal-share}");
  const auto report = apply(document, sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_EQ(scheduler_on(sim).policy, Policy::equal_share);
}

TEST(SchedulerOnAHost, LeftOutItIsGivenBack) {
  SimHost sim(host_named("kvm-a100-pair"));
  ASSERT_EQ(apply(wanting("scheduler: {policy: equal-share}"), sim).result, RunReport::Result::converged);
  EXPECT_EQ(apply(wanting("functions: disabled"), sim).result, RunReport::Result::converged);
  EXPECT_EQ(scheduler_on(sim), VgpuScheduler{});
  EXPECT_EQ(modprobe_on(sim), "");
  EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
}

TEST(SchedulerOnAHost, MaxwellHasNone) {
  const SimHost sim(host_named("kvm-m60"));
  const auto plan = plan_once(document_from("m60", R"(
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: kvm-gpu-12}
gpus: [{name: first, match: {address: "0000:3d:00.0"}, mode: vgpu, scheduler: {policy: equal-share}}]
)")
                                  .desired,
                              sim.view());
  EXPECT_FALSE(plan->applyable());
  EXPECT_THAT(plan->notes,
              Contains(::testing::Field(
                  &Note::message, "GPU first is a Tesla M60, which has the scheduler best-effort only")));
}

}  // namespace
}  // namespace gpuhost::testing
