#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "render/plan.hpp"
#include "support/plan_titles.hpp"

// The ECC mode on simulated hosts: when a reset puts it in force, and when the next boot does.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

const PciAddress left = *PciAddress::parse("0000:41:00.0");
constexpr GpuSwitch on{true, true};
constexpr GpuSwitch off{false, false};
constexpr GpuSwitch staged_off{true, false};

DecodedDocument wanting(const std::string& policy, const std::string& entry) {
  return document_from("ecc",
                       "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: kvm-gpu-11}\n"
                       "policy: {disruption: " +
                           policy + "}\ngpus:\n  - {name: left, match: {address: \"0000:41:00.0\"}, " +
                           entry + "}\n");
}

/// A host whose nvidia-persistenced is down, so that nobody holds its GPUs.
HostFile idle_host() {
  auto file = host_named("kvm-a100-pair");
  file.units["nvidia-persistenced.service"].state.active_state = "inactive";
  file.units["nvidia-persistenced.service"].state.sub_state = "dead";
  file.units["nvidia-persistenced.service"].state.unit_file_state = "disabled";
  return file;
}

std::optional<GpuSwitch> ecc_of(const SimHost& sim) {
  return sim.file().machine.gpus.at(left).ecc;
}

Plan plan_of(const DecodedDocument& document, const SimHost& sim) {
  return plan_once(document.desired, sim.view()).value();
}

/// Why the mode waits for the next boot; empty: it does not.
std::string reason_to_wait(const HostFile& file, const std::string& policy = "remove-idle") {
  const SimHost sim(file);
  const auto plan = plan_of(wanting(policy, "ecc: false"), sim);
  const auto step =
      std::ranges::find(plan.steps, "ecc", [](const auto& one) { return one.step.action.kind; });
  return step == plan.steps.end() ? plan_text(plan, {}) : step->step.explanation;
}

TEST(Ecc, AResetPutsItInForceWhereNobodyHoldsTheGpu) {
  SimHost sim(idle_host());
  const auto document = wanting("remove-idle", "ecc: false");
  const auto report = apply(document, sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_EQ(ecc_of(sim), off);
  EXPECT_THAT(writes(sim), Contains("gpus.set_ecc 0000:41:00.0"));
  EXPECT_TRUE(plan_of(document, sim).empty());
}

TEST(Ecc, AServiceThatHoldsTheGpuIsStoppedForIt) {
  SimHost sim(host_named("kvm-a100-pair"));
  EXPECT_EQ(apply(wanting("stop-units", "ecc: false"), sim).result, RunReport::Result::converged);
  EXPECT_EQ(ecc_of(sim), off);
  EXPECT_THAT(writes(sim), IsSupersetOf({"units.stop nvidia-persistenced.service",
                                         "units.start nvidia-persistenced.service"}));
}

TEST(Ecc, WaitsForTheNextBootWhereAResetIsNotAllowed) {
  SimHost sim(host_named("kvm-a100-pair"));
  const auto document = wanting("none", "ecc: false");
  const auto first = plan_of(document, sim);
  EXPECT_THAT(titles(first), ElementsAre("turn ECC of GPU left off for the next boot"));
  EXPECT_TRUE(first.reboot_required());
  EXPECT_EQ(apply(document, sim).result, RunReport::Result::reboot_required);
  EXPECT_EQ(ecc_of(sim), staged_off);

  const auto second = plan_of(document, sim);
  EXPECT_THAT(second.steps, IsEmpty());
  EXPECT_EQ(second.findings.front().verdict, Finding::Verdict::pending_reboot);
  EXPECT_TRUE(sim.reboot());
  EXPECT_EQ(ecc_of(sim), off);
  EXPECT_TRUE(plan_of(document, sim).empty());
}

TEST(Ecc, SaysWhyItWaits) {
  EXPECT_EQ(reason_to_wait(idle_host()), "");
  EXPECT_THAT(reason_to_wait(idle_host(), "none"), HasSubstr("set policy.disruption to remove-idle"));
  auto held = idle_host();
  held.processes[4711] = {.name = "python3", .cgroup = "/user.slice", .opens = {"/dev/nvidia0"}};
  EXPECT_THAT(reason_to_wait(held, "stop-guests"), HasSubstr("process python3 (pid 4711) holds it"));
  EXPECT_THAT(reason_to_wait(host_named("kvm-a100-pair")),
              HasSubstr("unit nvidia-persistenced.service (pid 1042) holds it"));
  auto without_tool = idle_host();
  without_tool.files.erase("/usr/bin/nvidia-smi");
  EXPECT_THAT(reason_to_wait(without_tool), HasSubstr("/usr/bin/nvidia-smi is not there"));
  auto cut = idle_host();
  cut.machine.gpus.at(left).mig.mode = {true, true};
  EXPECT_THAT(reason_to_wait(cut), HasSubstr("a reset would take its MIG instances"));
  SimHost with_vgpu(idle_host());
  ASSERT_EQ(apply(wanting("remove-idle", "mode: vgpu, vgpus: [{name: a, type: A100-10C}]"), with_vgpu).result,
            RunReport::Result::converged);
  EXPECT_THAT(reason_to_wait(with_vgpu.file()), HasSubstr("vGPUs are on it"));
}

/// Source: nvidia-smi documentation, "--gpu-reset", the table of NVSwitch systems.
TEST(Ecc, BehindNvswitchesAGpuIsResetAsItsFabricAllows) {
  const auto behind_switches = [](const char* device, const char* fabric_manager) {
    auto file = idle_host();
    file.files["/sys/bus/pci/devices/0000:05:00.0/vendor"] = HostFile::Text{"0x10de\n"};
    file.files["/sys/bus/pci/devices/0000:05:00.0/class"] = HostFile::Text{"0x068000\n"};
    for (const char* gpu : {"0000:41:00.0", "0000:61:00.0"})
      file.files["/sys/bus/pci/devices/" + std::string(gpu) + "/device"] = HostFile::Text{device};
    file.units["nvidia-fabricmanager.service"].state = {"loaded", fabric_manager, "", "enabled"};
    return reason_to_wait(file);
  };
  EXPECT_EQ(behind_switches("0x20b0\n", "active"), "");
  EXPECT_THAT(behind_switches("0x20b0\n", "inactive"),
              HasSubstr("nvidia-fabricmanager.service does not run"));
  EXPECT_EQ(behind_switches("0x2330\n", "inactive"), "") << "from Hopper on it takes no part";
  EXPECT_THAT(behind_switches("0x1db5\n", "active"), HasSubstr("cannot be reset alone behind NVSwitches"));
  EXPECT_THAT(behind_switches("0x20ff\n", "active"), HasSubstr("is not known"));
}

TEST(Ecc, NotSupportedIsNeitherOnNorOff) {
  auto file = idle_host();
  file.machine.gpus.at(left).ecc.reset();
  const SimHost sim(file);
  const auto refused = plan_of(wanting("remove-idle", "ecc: true"), sim);
  EXPECT_FALSE(refused.applyable());
  EXPECT_EQ(refused.notes.front().message, "GPU left has no ECC that can be switched");
  const auto nothing = plan_of(wanting("remove-idle", "ecc: false"), sim);
  EXPECT_TRUE(nothing.empty());
  EXPECT_THAT(nothing.findings, ::testing::Each(::testing::Field(&Finding::address, "gpu[left]")));
  EXPECT_EQ(nothing.notes.front().severity, Note::Severity::info);
}

TEST(Ecc, OfAGpuThatNvidiasDriverDoesNotHaveIsUnknown) {
  SimHost sim(idle_host());
  ASSERT_EQ(apply(wanting("remove-idle", "mode: passthrough"), sim).result, RunReport::Result::converged);
  const auto given_away = plan_of(wanting("remove-idle", "mode: passthrough, ecc: false"), sim);
  EXPECT_FALSE(given_away.complete);
  EXPECT_THAT(given_away.steps, IsEmpty());
  // With the driver comes what it is, and then it is set.
  EXPECT_EQ(apply(wanting("remove-idle", "mode: bare-metal, ecc: false"), sim).result,
            RunReport::Result::converged);
  EXPECT_EQ(ecc_of(sim), off);
}

TEST(Ecc, ComesBeforeTheGpuIsGivenAway) {
  SimHost sim(idle_host());
  const auto plan = plan_of(wanting("remove-idle", "mode: passthrough, ecc: false"), sim);
  const auto first_of = [&](const char* kind) {
    return std::ranges::find(plan.steps, kind, [](const auto& one) { return one.step.action.kind; });
  };
  EXPECT_LT(first_of("ecc"), first_of("passthrough")) << plan_text(plan, {});
  EXPECT_LT(first_of("passthrough"), plan.steps.end());
}

TEST(Ecc, LeftOutItStaysAndReleaseGivesItBack) {
  for (const char* policy : {"remove-idle", "none"}) {
    SimHost sim(idle_host());
    const auto wanted = wanting(policy, "ecc: false");
    apply(wanted, sim);
    EXPECT_TRUE(sim.reboot());
    ASSERT_EQ(ecc_of(sim), off);
    auto released = sim.file();
    EXPECT_EQ(apply(wanting(policy, "functions: disabled"), sim).result, RunReport::Result::converged);
    EXPECT_EQ(ecc_of(sim), off);
    EXPECT_TRUE(Ownership::load(sim.view().files)->empty());

    SimHost again(released);
    const auto release =
        empty_document("kvm-gpu-11", {.disruption = *parse_disruption(policy), .by_option = true});
    const bool waits = std::string(policy) == "none";
    EXPECT_EQ(apply(release, again).result,
              waits ? RunReport::Result::reboot_required : RunReport::Result::converged);
    EXPECT_EQ(ecc_of(again), waits ? (GpuSwitch{false, true}) : on);
    EXPECT_EQ(Ownership::load(again.view().files)->empty(), !waits) << "owned until it is true";
    EXPECT_TRUE(again.reboot());
    EXPECT_EQ(apply(release, again).result, RunReport::Result::converged);
    EXPECT_EQ(ecc_of(again), on);
    EXPECT_TRUE(Ownership::load(again.view().files)->empty());
  }
}

TEST(Ecc, OfAnotherBoardInItsPlaceIsNotGivenBack) {
  SimHost sim(idle_host());
  apply(wanting("remove-idle", "ecc: false"), sim);
  auto swapped = sim.file();
  swapped.files["/sys/bus/pci/devices/0000:41:00.0/device"] = HostFile::Text{"0x20b0\n"};
  SimHost other(swapped);
  EXPECT_EQ(apply(empty_document("kvm-gpu-11", {.disruption = Disruption::reboot}), other).result,
            RunReport::Result::converged);
  EXPECT_EQ(ecc_of(other), off);
}

TEST(Ecc, VgpusOfSeriesWithoutItAreNamed) {
  const SimHost sim(host_named("kvm-a40-x4"));
  const auto plan = plan_of(document_from("ecc", R"(
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: desks}
policy: {disruption: stop-units}
gpus:
  - name: desk
    match: {address: "0000:21:00.0"}
    mode: vgpu
    ecc: true
    vgpus: [{name: office, type: A40-2B, count: 2}]
)"),
                            sim);
  EXPECT_TRUE(plan.applyable()) << plan_text(plan, {});
  EXPECT_THAT(plan.notes,
              Contains(::testing::Field(
                  &Note::message, "vGPUs of series A and B run without ECC on GPU desk: NVIDIA A40-2B")));
}

}  // namespace
}  // namespace gpuhost::testing
