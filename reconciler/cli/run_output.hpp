#pragma once

#include <memory>

#include "cli/options.hpp"
#include "engine/reconcile.hpp"

namespace gpuhost {

/// What `apply` tells the user, from the plan to the end.
class RunOutput : public Reporter {
 public:
  /// The plan that bounds the run.
  virtual void approved(const Plan& plan) = 0;
  virtual void ended(const RunReport& report, ExitCode code) = 0;
};

/// Text, or JSON Lines with -o json; `clock` gives their timestamps.
[[nodiscard]] std::unique_ptr<RunOutput> make_run_output(const Options& options, const Clock& clock);

}  // namespace gpuhost
