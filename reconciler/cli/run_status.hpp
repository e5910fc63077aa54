#pragma once

#include <optional>
#include <string>

#include "engine/reporter.hpp"
#include "host/host.hpp"
#include "render/run.hpp"

namespace gpuhost {

/// Passes on what a run tells, and keeps /run/gpuhost/status.json at it from the first step on. A status that
/// cannot be written stops nobody: the end of the run is told where it is written, with an error.
class StatusKeeper final : public Reporter {
 public:
  StatusKeeper(Reporter& next, Host& host, std::string verb, std::string document);

  void planned(const Plan& plan, unsigned round) override;
  void started(const PlannedStep& step) override;
  void finished(const PlannedStep& step, Outcome outcome) override;
  void errored(const PlannedStep& step, const Error& error) override;
  void rollback_started() override;
  void undone(const StepRecord& step) override;
  void not_undone(const StepRecord& step, const std::string& why) override;
  void rollback_ended(bool complete) override;
  void barrier(const Plan& plan, bool rebooting) override;
  void verified(const Plan& outcome) override;

 private:
  void write();

  Reporter& next_;
  Host& host_;
  RunProgress progress_;
  std::optional<Plan> plan_;   ///< of this round
  std::optional<Json> known_;  ///< what stood there before the run
};

}  // namespace gpuhost
