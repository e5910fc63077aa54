#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/executor.hpp"
#include "engine/pending_phase.hpp"
#include "engine/planner.hpp"
#include "engine/reporter.hpp"

namespace gpuhost {

/// A document, ready to be held against a host.
struct Desired {
  std::string name;
  std::string sha256;
  Policy policy;
  Kinds kinds;
  Scope scope = Scope::all;
  /// What the run goes on with: it does no more than was approved then.
  std::optional<PendingPhase> resumed = {};
};

/// If the host was booted since this very document left a phase to it, `desired` goes on with that: instead
/// of what a boot has lost (Scope::runtime), all that was approved. Only a run with a scope does so; one
/// without is approved anew. What is to be said about it, if anything. Errors: the record cannot be used.
[[nodiscard]] Result<std::optional<Note>> resume_pending(Desired& desired, const HostView& host);

/// One observation of the host and the plan that follows from it. Errors: the ownership record cannot be
/// used.
[[nodiscard]] Result<Plan> plan_once(const Desired& desired, const HostView& host);

struct RunOptions {
  ExecutorOptions executor;
  /// Restarts the host. Given only if the user asked for it; used only if the policy allows it. Returns when
  /// the host is up again, or, on the live host, when the restart is under way; then `resumes` is false.
  std::function<Result<void>()> reboot = {};
  bool resumes = false;
  bool rollback = true;  ///< after a failure, undo what the phase has done
  /// A trial: unless it is confirmed within this time after its end, what it has done is to be undone; so its
  /// journal stays. A run that fails is undone at once all the same.
  std::optional<std::chrono::seconds> confirm_within = {};
  unsigned round_limit = 8;  ///< rounds in one phase
};

struct RunReport {
  enum class Result {
    converged,
    degraded,  ///< converged, but for what the document allows to be missing
    reboot_required,
    refused,      ///< not applyable; nothing was done
    undone,       ///< a step failed; what was done is undone, and the host reads as before
    failed,       ///< a step failed; `held` says what holds
    interrupted,  ///< ended at a safe point
  };
  Result result = Result::converged;
  bool changed = false;  ///< the host is not as it was before the run, or nobody can tell
  unsigned rounds = 0;
  Plan last;                        ///< of the last look at the host: what is left
  std::vector<std::string> errors;  ///< "address: what failed, why, what to do"
  std::vector<std::string> held;    ///< titles of the steps that were done and not undone
  std::vector<std::string> undone;  ///< titles of the steps that were undone
  /// Unless it is confirmed within this time, what holds will be undone.
  std::optional<std::chrono::seconds> confirm_within = {};
};

[[nodiscard]] std::string_view to_string(RunReport::Result result);

/// "address: why" of all that keeps a plan from being applied.
[[nodiscard]] std::vector<std::string> blocks_of(const Plan& plan);

/// Rounds of observe, plan, execute, until the plan is empty, blocked, or the limit is met. `approved` is the
/// plan the user has seen: no later round or phase does more than it shows. Errors: the host is no longer as
/// in `approved` before the first step (stale), or its records cannot be used.
[[nodiscard]] Result<RunReport> reconcile(const Desired& desired, const Plan& approved, Host& host,
                                          Reporter& reporter, const RunOptions& options);

}  // namespace gpuhost
