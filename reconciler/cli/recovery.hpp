#pragma once

#include <optional>

#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/target.hpp"
#include "engine/recover.hpp"

namespace gpuhost {

/// Whether a run that may still be confirmed is undone, too. One whose time is over always is.
enum class Unconfirmed { refuse, undo };

/// Ends the interrupted run of this host, tells of it and records it; nothing if there is none. The caller
/// holds the run lock. busy: a run waits to be confirmed, and is not to be undone.
[[nodiscard]] OrExit<std::optional<RecoverReport>> end_interrupted_run(Target& target, RunOutput& output,
                                                                       Unconfirmed unconfirmed);

}  // namespace gpuhost
