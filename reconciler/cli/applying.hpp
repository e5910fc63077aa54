#pragma once

#include <functional>

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/saved_plan.hpp"
#include "cli/target.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

/// invalid: there is no --yes, and nobody who can be asked.
[[nodiscard]] Result<void> check_can_ask(const Options& options);

/// Ends a verb that had no plan to show; why is told already.
ExitCode end_unplanned(RunOutput& output, ExitCode code);

/// Takes the run lock, opens the host and works on it.
[[nodiscard]] ExitCode on_locked_host(const Options& options, RunOutput& output,
                                      const std::function<ExitCode(Target&)>& work);

/// A last look at the host after a run that has converged; an error ends it otherwise.
using AfterRun = std::function<Result<void>(const Target&)>;

/// Ends an interrupted run, plans, asks, applies, verifies and records, and tells of all of it. With `saved`,
/// only if that is the very plan, and only once.
[[nodiscard]] ExitCode apply_to(Target& target, DecodedDocument& document, const Options& options,
                                RunOutput& output, const SavedPlan* saved = nullptr,
                                const AfterRun& after = {});

}  // namespace gpuhost
