#pragma once

#include <chrono>
#include <optional>

#include "cli/target.hpp"
#include "engine/reconcile.hpp"

namespace gpuhost {

/// What comes between the approval of a plan and its first step. With `confirm_within` it is a trial:
/// unsupported if not all of it could be undone, unavailable if nobody would undo it. Without, an earlier
/// trial of the document no longer counts.
[[nodiscard]] Result<void> begin_approved(const Desired& desired,
                                          std::optional<std::chrono::seconds> confirm_within,
                                          const Plan& plan, Target& target);

/// After a trial: one that holds nothing which could be confirmed is undone by nobody; one that has changed
/// nothing never was.
[[nodiscard]] Result<void> end_fruitless_trial(const Desired& desired, const Result<RunReport>& run,
                                               Target& target);

}  // namespace gpuhost
