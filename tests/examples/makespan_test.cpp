#include <chrono>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"

// Steps side by side, in the time of a simulated host.

namespace gpuhost::testing {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds reset_time{8};

/// Eight GPUs, each of which takes its time to be reset.
HostFile slow_gpus() {
  auto host = host_named("kvm-h100-x8");
  for (auto& [address, gpu] : host.machine.gpus) gpu.reset_time = reset_time;
  return host;
}

/// Cuts up every GPU, for which its MIG mode changes, which resets it.
DecodedDocument all_cut(const HostFile& host) {
  std::string text =
      "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: cut}\npolicy: {disruption: remove-idle}\n"
      "gpus:\n";
  for (const auto& [address, gpu] : host.machine.gpus)
    text += fmt::format(
        "  - {{match: {{address: \"{}\"}}, mode: vgpu, functions: enabled, mig: [{{profile: 7g.80gb}}]}}\n",
        address.to_string());
  return document_from("cut.yaml", text);
}

/// How long each step took, and with it the longest way through each plan.
class Stopwatch final : public Witness {
 public:
  explicit Stopwatch(const SimHost& sim) : sim_(sim) {}

  void planned(const Plan& plan, unsigned round) override {
    Witness::planned(plan, round);
    critical_path_ += longest_way();
    plan_ = plan;
    took_.clear();
  }
  void started(const PlannedStep& step) override {
    Witness::started(step);
    took_[step.id] = -now();
  }
  void finished(const PlannedStep& step, Outcome) override {
    took_[step.id] += now();
    total_ += took_[step.id];
  }

  [[nodiscard]] nanoseconds now() const { return sim_.view().clock.since_boot(); }
  /// Of all plans but the last, which has nothing to run.
  [[nodiscard]] nanoseconds critical_path() const { return critical_path_; }
  [[nodiscard]] nanoseconds total() const { return total_; }

 private:
  /// Plan order is an order in which every step stands after those that it rests on.
  [[nodiscard]] nanoseconds longest_way() const {
    std::vector<nanoseconds> until(plan_.steps.size());
    nanoseconds longest{};
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      for (const auto before : plan_.steps[i].after) until[i] = std::max(until[i], until[before]);
      if (const auto took = took_.find(plan_.steps[i].id); took != took_.end()) until[i] += took->second;
      longest = std::max(longest, until[i]);
    }
    return longest;
  }

  const SimHost& sim_;
  Plan plan_;
  std::map<std::string, nanoseconds> took_;  ///< by id of the step; negative while it runs
  nanoseconds critical_path_{};
  nanoseconds total_{};
};

struct Times {
  nanoseconds makespan;
  nanoseconds critical_path;
  nanoseconds total;
};

Times times_with(unsigned workers) {
  SimHost sim(slow_gpus());
  const auto document = all_cut(sim.file());
  Stopwatch watch(sim);
  const auto begin = watch.now();
  const auto report = apply(document, sim, watch, {.executor = {.workers = workers}});
  EXPECT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
  return {watch.now() - begin, watch.critical_path(), watch.total()};
}

TEST(Makespan, EightResetsTakeAsLongAsTheLongestWayThroughThePlan) {
  const auto times = times_with(16);
  EXPECT_GE(times.total, 8 * reset_time);
  EXPECT_GE(times.critical_path, reset_time);
  EXPECT_LE(times.makespan, times.critical_path * 11 / 10)
      << times.makespan.count() << " ns of " << times.critical_path.count();
}

TEST(Makespan, OneWorkerTakesAsLongAsAllStepsTogether) {
  const auto times = times_with(1);
  EXPECT_GE(times.makespan, times.total);
  EXPECT_LE(times.makespan, times.total * 11 / 10);
}

}  // namespace
}  // namespace gpuhost::testing
