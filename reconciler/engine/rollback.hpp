#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/step_run.hpp"

namespace gpuhost {

/// What became of the steps on record.
struct RollbackReport {
  std::vector<std::string> undone;  ///< titles, in the order in which they were undone
  std::vector<std::string> held;    ///< titles of what could not be undone and so holds, in order of running
  std::vector<std::string> errors;  ///< why, one for each that holds: "address: why"
  bool acted = false;               ///< something had to be changed for it
  bool retryable = false;           ///< trying again later may undo what holds

  [[nodiscard]] bool complete() const { return held.empty(); }
};

/// Undoes the journal's steps in reverse order, in each lane down to the first that cannot be, and never with
/// more disruption than the approved plan showed. What is derived is made again at the end. Ownership goes
/// back with each step.
[[nodiscard]] RollbackReport roll_back(RunContext& run);

}  // namespace gpuhost
