#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/executor.hpp"
#include "engine/journal.hpp"
#include "engine/ownership.hpp"
#include "engine/planner.hpp"
#include "engine/reporter.hpp"

namespace gpuhost {

/// What all steps of a run share.
struct RunContext {
  std::string document;
  const Kinds& kinds;
  Host& host;
  Ownership& owned;
  Journal& journal;
  Reporter& reporter;

  /// Who can run the action. unsupported: nobody can.
  [[nodiscard]] Result<const Kind*> kind_of(const StepAction& action) const;
  /// Runs the action unless its goal is reached already, and reads back; whether it had to run.
  Result<bool> bring_about(const StepAction& action) const;
  /// Runs it and reads back; `what` names it in the error.
  Result<void> act(const Kind& kind, const StepAction& action, std::string_view what) const;
  /// Writes the record, and takes it over once it is on disk.
  Result<void> store(Ownership next);
};

/// From which state each step of a plan starts, as far as it can be told. Runs parallel to Plan::steps.
using Preconditions = std::vector<std::optional<Undo>>;

/// The steps of the first phase, as the host is now.
[[nodiscard]] Preconditions preconditions_of(const Plan& plan, const Kinds& kinds, const HostView& host);

/// Runs the steps of one plan: checks before, records, runs, reads back, reports. Safe to call from several
/// threads.
class StepRunner {
 public:
  StepRunner(RunContext& run, const Plan& plan, Preconditions before)
      : run_(run), plan_(plan), before_(std::move(before)) {}

  /// done or already_satisfied. stale: the host is not as the plan has assumed. mismatch: the step ran
  /// without error and the host is still not as it should be.
  [[nodiscard]] Result<Outcome> run(std::size_t index);

 private:
  [[nodiscard]] Result<Outcome> attempt(std::size_t index);
  [[nodiscard]] Result<Outcome> check(const Step& step) const;
  [[nodiscard]] Result<std::optional<Undo>> undo_from_here(std::size_t index, const Kind& kind);
  /// Ownership and journal are on disk before the host changes, so that no crash leaves a change that nobody
  /// owns or can undo. The record of a step that failed stays: it may have done half of its work.
  [[nodiscard]] Result<std::size_t> begin(std::size_t index, std::optional<Undo> undo, bool satisfied);
  Result<void> end(const Step& step, std::size_t record);
  [[nodiscard]] std::optional<Obligation> obligation_of(std::size_t index) const;
  /// What rests on the step, or shares a lane with it, starts from what it has left.
  void renew_preconditions(std::size_t index);

  RunContext& run_;
  const Plan& plan_;
  Preconditions before_;
  std::map<std::size_t, std::size_t> records_;  ///< of the steps that have begun
  std::mutex records_mutex_;                    ///< guards ownership, journal and both of the above
  std::mutex reports_mutex_;
};

/// Ends the brackets that are still open, with what went wrong: "address: why".
[[nodiscard]] std::vector<std::string> settle_obligations(RunContext& run);

}  // namespace gpuhost
