#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

class StepRunner;

enum class Outcome {
  not_run,            ///< of a later phase, provisional, resting on such a step, or stopped before its turn
  already_satisfied,  ///< somebody else got there between plan and run
  done,
  failed,
  skipped,  ///< a step it rests on failed or was skipped
};

/// How one phase of one round went. `outcomes` and `errors` run parallel to Plan::steps.
struct PhaseReport {
  std::vector<Outcome> outcomes;
  std::vector<std::optional<Error>> errors;
  bool interrupted = false;

  [[nodiscard]] bool failed() const;
  [[nodiscard]] bool changed() const;
};

struct ExecutorOptions {
  unsigned workers = 16;  ///< steps run side by side at most; 1 runs them in plan order on the calling thread
  /// Set by the signal handler: nothing new starts; running steps finish.
  const std::atomic<bool>* interrupted = nullptr;
  /// Told how many more threads (or fewer, if negative) are at work on the host, of which there is one at
  /// first: simulated time passes only while all of them wait.
  std::function<void(int)> at_work = {};
};

/// Runs one phase: independent steps side by side, one at a time in each lane. After a failure or an
/// interrupt nothing new starts. Brackets may stay open then, and when provisional steps still need what
/// ending them would end: the journal has them as obligations.
[[nodiscard]] PhaseReport execute_phase(const Plan& plan, std::size_t phase, StepRunner& runner,
                                        const ExecutorOptions& options);

}  // namespace gpuhost
