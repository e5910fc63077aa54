#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/journal.hpp"
#include "engine/planner.hpp"
#include "engine/reporter.hpp"
#include "engine/rollback.hpp"

namespace gpuhost {

/// How an interrupted run was brought to an end.
struct RecoverReport {
  Journal::Header run;
  RollbackReport rolled;            ///< empty if undoing was declined when the run was started
  std::vector<std::string> errors;  ///< what could not be started again, or not be written down
  /// The journal is gone. It stays while trying again later may help, so that the next `recover` goes on.
  bool ended = false;

  [[nodiscard]] bool complete() const { return rolled.complete() && errors.empty(); }
};

/// Undoes what an interrupted run has done since the last reboot, and starts again what it had stopped; a run
/// that was told not to undo only the latter. `kinds` must be able to run every action there is. Safe to be
/// interrupted itself. Nothing: no run was interrupted. Errors: the records cannot be used.
[[nodiscard]] Result<std::optional<RecoverReport>> recover(const Kinds& kinds, Host& host,
                                                           Reporter& reporter);

}  // namespace gpuhost
