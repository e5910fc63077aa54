#pragma once

#include <optional>

#include "cli/output.hpp"
#include "cli/run_output.hpp"
#include "cli/target.hpp"
#include "engine/recover.hpp"

namespace gpuhost {

enum class RecoveredBy {
  person,   ///< who means also a run that may still be confirmed
  timer,    ///< of a trial, whose time may not be over yet
  next_run  ///< which leaves a trial its time
};

/// Ends the interrupted run of this host, tells of it and records it; nothing if there is none. Of a trial
/// the timer goes, too, unless that is who asks. The caller holds the run lock. busy: a run waits to be
/// confirmed.
[[nodiscard]] OrExit<std::optional<RecoverReport>> end_interrupted_run(Target& target, RunOutput& output,
                                                                       RecoveredBy by);

}  // namespace gpuhost
