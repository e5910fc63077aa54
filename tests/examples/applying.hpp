#pragma once

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/reconcile.hpp"
#include "examples/examples.hpp"

namespace gpuhost::testing {

/// Sees to it that nothing begins that rests on a step which failed.
class Witness : public Reporter {
 public:
  void planned(const Plan& plan, unsigned) override {
    plan_ = plan;
    failed_.clear();
  }
  void started(const PlannedStep& step) override {
    const auto found = std::ranges::find(plan_.steps, step.id, &PlannedStep::id);
    if (found == plan_.steps.end() || failed_.empty()) return;
    EXPECT_FALSE(rests_on_a_failure(*found)) << "began: " << step.step.title;
  }
  void finished(const PlannedStep&, Outcome) override {}
  void errored(const PlannedStep& step, const Error&) override { failed_.insert(step.id); }
  void rollback_started() override { failed_.clear(); }
  void undone(const StepRecord&) override {}
  void not_undone(const StepRecord&, const std::string&) override {}
  void rollback_ended(bool) override {}
  void barrier(const Plan&, bool) override {}
  void verified(const Plan&) override {}

 private:
  [[nodiscard]] bool rests_on_a_failure(const PlannedStep& step) const {
    return std::ranges::any_of(step.after, [&](std::size_t before) {
      return failed_.contains(plan_.steps[before].id) || rests_on_a_failure(plan_.steps[before]);
    });
  }

  Plan plan_;
  std::set<std::string> failed_;  ///< ids
};

/// Plans and applies, through as many reboots as it takes.
inline RunReport apply(const DecodedDocument& document, SimHost& sim, Reporter& reporter,
                       RunOptions options = {.executor = {.workers = 1}}) {
  auto host = sim.host();
  const auto approved = plan_once(document.desired, host.view);
  if (!approved) throw std::runtime_error(approved.error().message);
  options.executor.at_work = [&](int more) { sim.at_work(more); };
  options.reboot = [&] { return sim.reboot(); };
  options.resumes = true;
  auto report = reconcile(document.desired, *approved, host, reporter, options);
  if (!report) throw std::runtime_error(report.error().message);
  return *std::move(report);
}

inline RunReport apply(const DecodedDocument& document, SimHost& sim) {
  Witness witness;
  return apply(document, sim, witness);
}

/// The host is as the document says, but for what the document allows to be missing.
inline bool settled(const RunReport& report) {
  return report.result == RunReport::Result::converged || report.result == RunReport::Result::degraded;
}

/// "files.replace /etc/modules", in order.
inline std::vector<std::string> writes(const SimHost& sim) {
  std::vector<std::string> calls;
  for (const auto& access : sim.accesses())
    if (access.write) calls.push_back(access.call + " " + access.object);
  return calls;
}

/// What gives back all that the document owns.
inline DecodedDocument emptied(const DecodedDocument& document) {
  return empty_document(document.desired.name, {.disruption = Disruption::reboot});
}

}  // namespace gpuhost::testing
