#pragma once

#include <memory>

#include "cli/options.hpp"
#include "engine/reconcile.hpp"
#include "engine/recover.hpp"

namespace gpuhost {

/// What `apply` and `recover` tell the user, from the plan to the end.
class RunOutput : public Reporter {
 public:
  /// An earlier run was interrupted; what it has done is undone from now on.
  virtual void recovering(const Journal::Header& run) = 0;
  virtual void recovered(const RecoverReport& report) = 0;
  /// The plan that bounds the run.
  virtual void approved(const Plan& plan) = 0;
  virtual void ended(const RunReport& report, ExitCode code) = 0;
  /// The verb ends without a plan; errors are told already. JSON Lines end with a summary all the same.
  virtual void ended_unplanned(std::string_view result, bool changed, ExitCode code) = 0;
};

/// Text, or JSON Lines with -o json; `clock` gives their timestamps. On the live host systemd's journal is
/// told, too.
[[nodiscard]] std::unique_ptr<RunOutput> make_run_output(const Options& options, const Clock& clock);

}  // namespace gpuhost
