#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/crashing.hpp"
#include "examples/gpu_documents.hpp"
#include "examples/host_differences.hpp"
#include "render/plan.hpp"

// Random documents about GPUs and guests, on hosts with some.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using ::testing::PrintToString;

/// The host, some guests and services of which are up or down by chance, and maybe with somebody who uses a
/// GPU.
HostFile random_host(Dice& dice, HostFile file) {
  if (dice.one_in(4))
    file.processes.emplace(4711, HostFile::Process{"python3", "/user.slice", {"/dev/nvidia0"}});
  SimHost sim(std::move(file));
  auto host = sim.host();
  for (const auto& [uri, connection] : sim.file().domains) {
    std::vector<std::string> names;
    for (const auto& [name, domain] : connection.domains) names.push_back(name);
    for (const auto& name : names) {
      if (!dice.one_in(4)) continue;
      if (connection.domains.at(name).running)
        (void)host.domains.shut_down(uri, name, std::chrono::seconds{60});
      else
        (void)host.domains.start(uri, name);  // not one whose devices are missing
    }
  }
  if (dice.one_in(4)) (void)host.units.stop("nvidia-persistenced.service", std::chrono::seconds{60});
  return sim.file();
}

/// Of what a run has changed, that which its document does not name.
std::vector<std::string> unnamed_differences(const HostFile& before, const HostFile& after,
                                             const GpuDraft& draft) {
  const auto names = [&](const std::string& difference) {
    const auto is = [&](const std::string& what) { return difference.starts_with(what); };
    for (const auto& gpu : draft.gpus)
      if (is("gpu " + gpu)) return true;
    for (const auto& guest : draft.guests)
      if (is("domain " + guest + ":")) return true;
    // What passthrough implies: its module, at boot too.
    if (is("module ")) return difference.ends_with("not loaded, now loaded");
    if (is("file /etc/modules-load.d/gpuhost.conf")) return true;
    if (!is("file /sys/")) return false;
    // Devices beside those that are named: their functions and vGPUs. Not those of other GPUs.
    return std::ranges::none_of(before.machine.gpus, [&](const auto& gpu) {
      return difference.contains(gpu.first.to_string()) && !draft.gpus.contains(gpu.first.to_string());
    });
  };
  auto found = differences(before, after);
  std::erase_if(found, names);
  return found;
}

class GpuProperties : public ::testing::TestWithParam<std::string> {
 protected:
  /// Runs `check(document, draft, host, dice)` with random ones.
  template <class Check>
  void for_drafts(unsigned usual, Check check) {
    const auto host = host_named(GetParam());
    for_seeds(usual, [&](Dice& dice) {
      const auto start = random_host(dice, host);
      const auto draft = random_gpu_draft(dice, start);
      SCOPED_TRACE(draft.text);
      check(document_from("random.yaml", draft.text), draft, start, dice);
    });
  }
};

bool applyable(const DecodedDocument& document, const SimHost& sim) {
  const auto plan = plan_once(document.desired, sim.view());
  return plan && plan->applyable();
}

TEST_P(GpuProperties, ApplyConvergesOrIsRefusedUntouched) {
  unsigned converged = 0;
  for_drafts(60, [&](const auto& document, const auto& draft, const auto& before, Dice&) {
    SimHost sim(before);
    const bool can = applyable(document, sim);
    const auto report = apply(document, sim);
    if (!can) {
      EXPECT_EQ(report.result, RunReport::Result::refused);
      EXPECT_THAT(writes(sim), IsEmpty());
      return;
    }
    ++converged;
    ASSERT_TRUE(settled(report)) << PrintToString(report.errors);
    const auto after = plan_once(document.desired, sim.view());
    ASSERT_TRUE(after.has_value());
    EXPECT_TRUE(after->empty()) << plan_text(*after, {});
    for (const auto& finding : after->findings)
      EXPECT_EQ(finding.verdict, Finding::Verdict::in_sync) << finding.address << " " << finding.reason;
    EXPECT_THAT(unnamed_differences(before, sim.file(), draft), IsEmpty());
    const auto written = writes(sim).size();
    EXPECT_TRUE(settled(apply(document, sim)));
    EXPECT_EQ(writes(sim).size(), written);
  });
  EXPECT_TRUE(std::getenv("GPUHOST_SEED") != nullptr || converged > 0);
}

TEST_P(GpuProperties, OneDocumentAfterAnotherConvergesAndIsGivenBack) {
  for_drafts(30, [&](const auto& document, const auto&, const auto& before, Dice& dice) {
    SimHost sim(before);
    if (!settled(apply(document, sim))) return;
    const auto edited = random_gpu_draft(dice, before);
    SCOPED_TRACE(edited.text);
    const auto next = document_from("random.yaml", edited.text);
    const bool can = applyable(next, sim);
    const auto report = apply(next, sim);
    ASSERT_EQ(settled(report), can) << to_string(report.result) << PrintToString(report.errors);
    if (can) {
      EXPECT_TRUE(plan_once(next.desired, sim.view())->empty());
    }
    const bool can_end = applyable(emptied(next), sim);
    const auto last = apply(emptied(next), sim);
    ASSERT_EQ(settled(last), can_end) << to_string(last.result) << PrintToString(last.errors);
    if (can_end) {
      EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
    }
  });
}

TEST_P(GpuProperties, KilledAnywhereIsRecoveredAndGoesOn) {
  for_drafts(30, [&](const auto& document, const auto&, const auto& before, Dice& dice) {
    if (!applyable(document, SimHost(before))) return;
    const auto whole = run_whole(document, before);
    if (whole.changes == 0) return;
    const auto nth = 1 + dice.below(whole.changes);
    SCOPED_TRACE(fmt::format("killed before change {} of {}", nth, whole.changes));
    SimHost next(killed_before(document, before, nth).value());
    const auto recovered = recover_on(next);
    if (!recovered || recovered->complete()) {
      EXPECT_THAT(whole.rests, Contains(work_left(document, next)));
    }
    EXPECT_THAT(stopped(before, next.file()), IsSubsetOf(stopped(before, whole.end)));
    const auto report = apply(document, next);
    EXPECT_TRUE(settled(report)) << PrintToString(report.errors);
  });
}

const std::vector<ErrorKind> fault_kinds{ErrorKind::io, ErrorKind::denied, ErrorKind::busy,
                                         ErrorKind::timed_out, ErrorKind::unavailable};

TEST_P(GpuProperties, AFailedCallIsUndoneOrSaysWhatHolds) {
  for_drafts(40, [&](const auto& document, const auto& draft, const auto& before, Dice& dice) {
    if (!applyable(document, SimHost(before))) return;
    SimHost whole(before);
    apply(document, whole);
    const auto calls = writes(whole);
    if (calls.empty()) return;
    const auto at = dice.below(calls.size());
    const auto nth = static_cast<unsigned>(
        std::count(calls.begin(), calls.begin() + static_cast<long>(at) + 1, calls[at]));
    const auto work = dice.one_in(3) ? SimHost::Work::done : SimHost::Work::not_done;
    SCOPED_TRACE(
        fmt::format("fails: {} {}{}", calls[at], nth, work == SimHost::Work::done ? " after its work" : ""));
    SimHost sim(before);
    sim.inject(calls[at], nth, {dice.of(fault_kinds), "injected"}, work);
    const auto failed = apply(document, sim);
    EXPECT_THAT(unnamed_differences(before, sim.file(), draft), IsEmpty());
    if (failed.result == RunReport::Result::undone) {
      EXPECT_THAT(differences(before, sim.file()), IsEmpty());
    }
    if (failed.result == RunReport::Result::failed && failed.changed) {
      EXPECT_TRUE(!failed.held.empty() || failed.errors.back().contains("does not read as before"))
          << PrintToString(failed.errors);
    }
    const auto mended = apply(document, sim);
    EXPECT_TRUE(settled(mended)) << PrintToString(mended.errors);
  });
}

INSTANTIATE_TEST_SUITE_P(Hosts, GpuProperties,
                         ::testing::Values("kvm-a100-pair", "kvm-a40-x4", "kvm-h100-x7", "kvm-h100-x8",
                                           "kvm-m60", "kvm-mixed", "kvm-rtx-workstation"),
                         [](const auto& host) {
                           std::string name = host.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gpuhost::testing
