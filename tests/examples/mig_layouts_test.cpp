#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "examples/random.hpp"
#include "kinds/mig/layout.hpp"
#include "kinds/mig/profiles.hpp"
#include "render/plan.hpp"

// MIG on simulated hosts, from any layout to any other.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint16_t h100 = 0x2330;
const std::vector<std::string> gpus{"0000:9d:00.0", "0000:c3:00.0", "0000:d1:00.0"};

/// What `mig` of an entry may say: off, nothing, or a list that fits, in any order.
std::string random_mig(Dice& dice) {
  if (dice.below(8) == 0) return "disabled";
  const auto profiles = known_mig_profiles(h100);
  std::vector<WantedInstance> wanted;
  std::string list;
  for (auto tries = dice.below(9); tries > 0; --tries) {
    const auto& profile = profiles[dice.below(profiles.size())];
    wanted.push_back({profile.id, std::nullopt});
    if (solve_layout(profiles, {}, wanted))
      list += fmt::format("{}{{profile: {}}}", list.empty() ? "" : ", ", profile.name);
    else
      wanted.pop_back();
  }
  return "[" + list + "]";
}

std::string document_with(const std::vector<std::string>& migs) {
  std::string text =
      "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: cut}\npolicy: {disruption: remove-idle}\n"
      "gpus:\n";
  for (std::size_t i = 0; i < migs.size(); ++i)
    text += fmt::format(
        "  - {{name: g{}, match: {{address: \"{}\"}}, mode: vgpu, functions: enabled, mig: {}}}\n", i,
        gpus[i], migs[i]);
  return text;
}

std::size_t count_of(const std::vector<std::string>& calls, const std::string& call) {
  return static_cast<std::size_t>(std::ranges::count(calls, call));
}

GpuSwitch mode_of_first(const SimHost& sim) {
  return sim.file().machine.gpus.at(*PciAddress::parse(gpus[0])).mig.mode;
}

TEST(MigOnAHost, LeftOutTheModeStaysAndReleaseTurnsItOff) {
  SimHost sim(host_named("kvm-h100-x8"));
  apply(document_from("cut", document_with({"[{profile: 3g.40gb}]"})), sim);
  ASSERT_EQ(mode_of_first(sim), (GpuSwitch{true, true}));
  const auto cut = sim.file();
  const auto without = document_with({"[]"});
  apply(document_from("cut", without.substr(0, without.find(", mig:")) + "}\n"), sim);
  EXPECT_EQ(mode_of_first(sim), (GpuSwitch{true, true}));

  SimHost again(cut);
  const auto release = empty_document("cut", {.disruption = Disruption::remove_idle});
  EXPECT_EQ(apply(release, again).result, RunReport::Result::converged);
  EXPECT_EQ(mode_of_first(again), GpuSwitch{});
  EXPECT_TRUE(Ownership::load(again.view().files)->empty());
}

/// As with ECC: of Ampere's GPUs the mode is switched by a reset.
TEST(MigOnAHost, BehindNvswitchesTheModeIsSwitchedAsTheFabricAllows) {
  const auto blocks = [](const char* fabric_manager) {
    auto file = host_named("kvm-a100-pair");
    file.files["/sys/bus/pci/devices/0000:05:00.0/vendor"] = HostFile::Text{"0x10de\n"};
    file.files["/sys/bus/pci/devices/0000:05:00.0/class"] = HostFile::Text{"0x068000\n"};
    file.units["nvidia-fabricmanager.service"].state = {"loaded", fabric_manager, "", "enabled"};
    const SimHost sim(file);
    const auto document = document_from(
        "cut",
        "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: cut}\npolicy: {disruption: stop-units}\n"
        "gpus: [{match: {address: \"0000:41:00.0\"}, mode: vgpu, mig: [{profile: 7g.40gb}]}]\n");
    const auto plan = plan_once(document.desired, sim.view());
    const auto mode = std::ranges::find_if(
        plan->steps, [](const PlannedStep& planned) { return planned.step.action.verb == "set_mode"; });
    return mode == plan->steps.end() ? std::vector<std::string>{"no step"} : mode->step.blocked_by;
  };
  EXPECT_THAT(blocks("active"), IsEmpty());
  EXPECT_THAT(blocks("inactive"), Contains(HasSubstr("nvidia-fabricmanager.service does not run")));
}

TEST(MigOnAHost, ReleaseLeavesTheModeToInstancesOfOthers) {
  SimHost sim(host_named("kvm-h100-x8"));
  apply(document_from("cut", document_with({"[{profile: 3g.40gb}]"})), sim);
  const auto profiles = known_mig_profiles(h100);
  const auto* small = find_profile(profiles, std::string_view("1g.10gb"));
  ASSERT_TRUE(
      sim.host().gpus.create_gpu_instance(*PciAddress::parse(gpus[0]), small->id, small->placements.back()));
  const auto release = empty_document("cut", {.disruption = Disruption::remove_idle});
  EXPECT_EQ(apply(release, sim).result, RunReport::Result::converged);
  EXPECT_EQ(mode_of_first(sim), (GpuSwitch{true, true}));
  EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
}

TEST(MigOnAHost, AnyLayoutBecomesAnyOther) {
  SimHost sim(host_named("kvm-h100-x8"));
  Dice dice(20);
  for (unsigned sample = 0; sample < std::max(25 / sanitizer_share, 5U); ++sample) {
    std::vector<std::string> migs;
    for (std::size_t i = 0; i < gpus.size(); ++i) migs.push_back(random_mig(dice));
    const auto document = document_from("cut", document_with(migs));
    std::vector<bool> was_on;
    for (const auto& gpu : gpus)
      was_on.push_back(sim.file().machine.gpus.at(*PciAddress::parse(gpu)).mig.mode.current);
    const auto before = writes(sim);

    const auto report = apply(document, sim);
    ASSERT_TRUE(settled(report)) << document_with(migs) << ::testing::PrintToString(report.errors);
    const auto after = writes(sim);
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      // Setting the mode may reset the GPU: once where it changes, and else not at all.
      const auto call = "gpus.set_mig_mode " + gpus[i];
      EXPECT_EQ(count_of(after, call) - count_of(before, call),
                was_on[i] == (migs[i] == "disabled") ? 1U : 0U);
    }

    ASSERT_TRUE(settled(apply(document, sim)));
    EXPECT_EQ(writes(sim).size(), after.size()) << "the second apply wrote";
  }
}

TEST(MigOnAHost, BusyInstancesStayWhateverIsAsked) {
  Dice dice(20);
  SimHost first(host_named("kvm-h100-x8"));
  const std::string start = "[{profile: 1g.10gb, count: 3}, {profile: 2g.20gb}]";
  ASSERT_TRUE(settled(apply(document_from("cut", document_with({start})), first)));
  auto file = first.file();
  auto& instances = file.machine.gpus.at(*PciAddress::parse(gpus[0])).mig.instances;
  instances[1].vgpus = 1;
  const auto busy = instances[1];
  unsigned kept = 0;
  for (unsigned sample = 0; sample < std::max(25 / sanitizer_share, 5U); ++sample) {
    SimHost sim(file);
    const auto report = apply(document_from("cut", document_with({random_mig(dice)})), sim);
    EXPECT_THAT(sim.file().machine.gpus.at(*PciAddress::parse(gpus[0])).mig.instances, Contains(busy));
    kept += settled(report) ? 1 : 0;
  }
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, 25U);
}

std::string plan_of(const SimHost& sim, const std::string& text) {
  const auto document = document_from("cut", text);
  const auto plan = plan_once(document.desired, sim.view());
  if (!plan) throw std::runtime_error(plan.error().message);
  return plan_text(*plan, {});
}

TEST(MigOnAHost, ABusyInstanceThatWouldGoIsNamed) {
  SimHost first(host_named("kvm-h100-x8"));
  ASSERT_TRUE(settled(apply(document_from("cut", document_with({"[{profile: 1g.10gb}]"})), first)));
  auto file = first.file();
  file.machine.gpus.at(*PciAddress::parse(gpus[0])).mig.instances[0].vgpus = 1;
  const SimHost sim(std::move(file));
  EXPECT_THAT(plan_of(sim, document_with({"[]"})),
              HasSubstr("GPU instance 1g.10gb@0 of GPU g0 is in use by 1 vGPU: end that use first"));
}

TEST(MigOnAHost, ABootBringsBackWhatItLost) {
  SimHost sim(host_named("kvm-h100-x8"));
  auto document = document_from("cut", document_with({"[{profile: 3g.40gb}]"}));
  ASSERT_TRUE(settled(apply(document, sim)));
  ASSERT_TRUE(sim.reboot());
  EXPECT_THAT(sim.file().machine.gpus.at(*PciAddress::parse(gpus[0])).mig.instances, IsEmpty());
  document.desired.scope = Scope::devices;
  ASSERT_TRUE(settled(apply(document, sim)));
  EXPECT_EQ(sim.file().machine.gpus.at(*PciAddress::parse(gpus[0])).mig.instances.size(), 1U);
}

TEST(MigOnAHost, TheModeStaysAndInstancesAreGivenBackOnceTheyAreLeftOut) {
  SimHost sim(host_named("kvm-h100-x8"));
  ASSERT_TRUE(settled(apply(document_from("cut", document_with({"[{profile: 3g.40gb}]"})), sim)));
  const std::string without =
      "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: cut}\npolicy: {disruption: remove-idle}\n"
      "gpus:\n  - {name: g0, match: {address: \"0000:9d:00.0\"}, mode: vgpu, functions: enabled}\n";
  ASSERT_TRUE(settled(apply(document_from("cut", without), sim)));
  const auto& mig = sim.file().machine.gpus.at(*PciAddress::parse(gpus[0])).mig;
  EXPECT_TRUE(mig.mode.current);
  EXPECT_THAT(mig.instances, ::testing::IsEmpty());
  EXPECT_THAT(plan_of(sim, without), HasSubstr("No changes"));
}

TEST(MigOnAHost, ASwitchOfTheModeTakesTheFunctionsForItsTime) {
  SimHost sim(host_named("kvm-h100-x8"));
  const std::string functions_only =
      "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: cut}\npolicy: {disruption: remove-idle}\n"
      "gpus:\n  - {name: g0, match: {address: \"0000:9d:00.0\"}, mode: vgpu, functions: enabled}\n";
  ASSERT_TRUE(settled(apply(document_from("cut", functions_only), sim)));
  ASSERT_TRUE(settled(apply(document_from("cut", document_with({"[{profile: 7g.80gb}]"})), sim)));
  EXPECT_EQ(sim.file().machine.gpus.at(*PciAddress::parse(gpus[0])).mig.instances.size(), 1U);
}

TEST(MigOnAHost, OnABareMetalHostInstancesHaveAComputeInstance) {
  SimHost sim(host_named("kvm-a100-pair"));
  const std::string text =
      "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: cut}\npolicy: {disruption: stop-units}\n"
      "gpus:\n  - {name: left, match: {address: \"0000:41:00.0\"}, mode: bare-metal, mig: [{profile: "
      "3g.20gb},\n"
      "     {profile: 3g.20gb, compute: [{profile: 1c.3g.20gb, count: 3}]}]}\n";
  ASSERT_TRUE(settled(apply(document_from("cut", text), sim)));
  std::vector<std::size_t> counts;
  for (const auto& instance : sim.file().machine.gpus.at(*PciAddress::parse("0000:41:00.0")).mig.instances)
    counts.push_back(instance.compute_instances.size());
  EXPECT_THAT(counts, ::testing::ElementsAre(1U, 3U));
}

TEST(MigOnAHost, GoesOffBeforeTheGpuIsPassedThroughWhereTheBoardKeepsIt) {
  SimHost sim(host_named("kvm-a100-pair"));
  const auto entry = [](const char* rest) {
    return fmt::format(
        "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {{name: cut}}\npolicy: {{disruption: "
        "stop-units}}\n"
        "gpus:\n  - {{name: left, match: {{address: \"0000:41:00.0\"}}, {}}}\n",
        rest);
  };
  ASSERT_TRUE(
      settled(apply(document_from("cut", entry("mode: bare-metal, mig: [{profile: 7g.40gb}]")), sim)));
  ASSERT_TRUE(settled(apply(document_from("cut", entry("mode: passthrough")), sim)));
  EXPECT_FALSE(sim.file().machine.gpus.at(*PciAddress::parse("0000:41:00.0")).mig.mode.current);
}

}  // namespace
}  // namespace gpuhost::testing
