#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "engine/reconcile.hpp"
#include "examples/examples.hpp"

namespace gpuhost::testing {

class Silent final : public Reporter {
 public:
  void planned(const Plan&, unsigned) override {}
  void started(const PlannedStep&) override {}
  void finished(const PlannedStep&, Outcome) override {}
  void errored(const PlannedStep&, const Error&) override {}
  void rollback_started() override {}
  void undone(const StepRecord&) override {}
  void not_undone(const StepRecord&, const std::string&) override {}
  void rollback_ended(bool) override {}
  void barrier(const Plan&, bool) override {}
  void verified(const Plan&) override {}
};

/// Plans and applies, through as many reboots as it takes.
inline RunReport apply(const DecodedDocument& document, SimHost& sim) {
  auto host = sim.host();
  const auto approved = plan_once(document.desired, host.view);
  if (!approved) throw std::runtime_error(approved.error().message);
  Silent silent;
  auto report =
      reconcile(document.desired, *approved, host, silent,
                {.executor = {.workers = 1}, .reboot = [&] { return sim.reboot(); }, .resumes = true});
  if (!report) throw std::runtime_error(report.error().message);
  return *std::move(report);
}

/// The host is as the document says, but for what the document allows to be missing.
inline bool settled(const RunReport& report) {
  return report.result == RunReport::Result::converged || report.result == RunReport::Result::degraded;
}

inline std::vector<std::string> writes(const SimHost& sim) {
  std::vector<std::string> calls;
  for (const auto& access : sim.accesses())
    if (access.write) calls.push_back(access.call + " " + access.object);
  return calls;
}

}  // namespace gpuhost::testing
