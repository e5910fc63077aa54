#pragma once

#include "base/result.hpp"
#include "engine/executor.hpp"
#include "engine/journal.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

/// What a run tells the world while it goes on. Calls come one at a time, from any thread.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void planned(const Plan& plan, unsigned round) = 0;
  virtual void started(const PlannedStep& step) = 0;
  /// `outcome`: done or already_satisfied.
  virtual void finished(const PlannedStep& step, Outcome outcome) = 0;
  virtual void errored(const PlannedStep& step, const Error& error) = 0;
  /// The run has failed; what its phase has done is undone from now on.
  virtual void rollback_started() = 0;
  virtual void undone(const StepRecord& step) = 0;
  virtual void not_undone(const StepRecord& step, const std::string& why) = 0;
  /// `complete`: all of it, and the host reads as before.
  virtual void rollback_ended(bool complete) = 0;
  /// The phase is done; what follows needs a reboot. `rebooting`: it happens now.
  virtual void barrier(const Plan& plan, bool rebooting) = 0;
  virtual void verified(const Plan& outcome) = 0;
};

}  // namespace gpuhost
