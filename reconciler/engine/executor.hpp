#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine/ownership.hpp"
#include "engine/plan.hpp"
#include "engine/planner.hpp"
#include "engine/reporter.hpp"

namespace gpuhost {

enum class Outcome {
  not_run,            ///< a later phase, provisional, or stopped before its turn
  already_satisfied,  ///< somebody else got there between plan and run
  done,
  failed,
  skipped,  ///< a step it rests on failed or was skipped
};

/// How one phase of one round went. `outcomes` and `errors` run parallel to Plan::steps.
struct PhaseReport {
  std::vector<Outcome> outcomes;
  std::vector<std::optional<Error>> errors;
  /// Releases not run yet because provisional steps of the phase still need what they would end.
  std::vector<PlannedStep> owed;
  bool interrupted = false;

  [[nodiscard]] bool failed() const;
  [[nodiscard]] bool changed() const;
};

struct ExecutorOptions {
  unsigned workers = 16;  ///< steps run side by side at most; 1 runs them in plan order
  /// Set by the signal handler: nothing new starts; running steps and owed releases finish.
  const std::atomic<bool>* interrupted = nullptr;
};

/// Runs one phase: independent steps side by side, one at a time in each lane, each checked before and read back
/// after. After a failure nothing new starts but the releases of brackets that were acquired. Records ownership after
/// each step that claims or gives back.
[[nodiscard]] PhaseReport execute_phase(const Plan& plan, std::size_t phase, const Kinds& kinds, Host& host,
                                        Ownership& owned, Reporter& reporter, const ExecutorOptions& options);

}  // namespace gpuhost
