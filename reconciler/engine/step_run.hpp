#pragma once

#include <mutex>
#include <string>
#include <utility>

#include "engine/executor.hpp"
#include "engine/ownership.hpp"
#include "engine/planner.hpp"
#include "engine/reporter.hpp"

namespace gpuhost {

/// Runs single steps: checks before, records ownership, runs, reads back, reports. Safe to call from several
/// threads.
class StepRunner {
 public:
  StepRunner(std::string document, const Kinds& kinds, Host& host, Ownership& owned, Reporter& reporter)
      : document_(std::move(document)), kinds_(kinds), host_(host), owned_(owned), reporter_(reporter) {}

  /// done or already_satisfied; mismatch when the step ran without error and the host is still not as it
  /// should be.
  [[nodiscard]] Result<Outcome> run(const PlannedStep& planned);

 private:
  [[nodiscard]] Result<Outcome> attempt(const Step& step);
  Result<void> act(const Kind& kind, const Step& step);
  /// Ownership is on disk before the host changes, so that no crash leaves a change that nobody owns. The
  /// record of a step that failed stays: it may have done half of its work, which is then given back with the
  /// rest.
  Result<void> own(const Step& step);
  Result<void> disown(const Step& step);
  Result<void> store(const Ownership& next);

  std::string document_;
  const Kinds& kinds_;
  Host& host_;
  Ownership& owned_;
  Reporter& reporter_;
  std::mutex records_;
  std::mutex reports_;
};

}  // namespace gpuhost
