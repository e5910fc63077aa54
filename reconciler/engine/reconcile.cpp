#include "engine/reconcile.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "engine/bounds.hpp"
#include "engine/step_run.hpp"
#include "host/memo_files.hpp"

namespace gpuhost {

std::string_view to_string(RunReport::Result result) {
  switch (result) {
    case RunReport::Result::converged:
      return "converged";
    case RunReport::Result::degraded:
      return "degraded";
    case RunReport::Result::reboot_required:
      return "reboot_required";
    case RunReport::Result::refused:
      return "refused";
    case RunReport::Result::failed:
      return "failed";
    case RunReport::Result::interrupted:
      return "interrupted";
  }
  std::unreachable();
}

namespace {

struct Look {
  Plan plan;
  Observations seen;
};

Result<Look> look_and_plan(const Desired& desired, const HostView& host,
                           const std::vector<PlannedStep>& owed) {
  // One memory for the whole look, so that no file is read twice and all kinds see one state.
  const MemoFiles files(host.files);
  const HostView view{.files = files,
                      .modules = host.modules,
                      .units = host.units,
                      .domains = host.domains,
                      .processes = host.processes,
                      .clock = host.clock,
                      .running = host.running};
  auto owned = Ownership::load(files);
  if (!owned) return fail(std::move(owned));
  PlanContext context{.host = HostIdentity::read(files),
                      .document = desired.name,
                      .document_sha256 = desired.sha256,
                      .owned = *owned,
                      .policy = desired.policy,
                      .running = host.running};
  std::ranges::transform(owed, std::back_inserter(context.owed),
                         [](const PlannedStep& release) { return release.step.action; });
  auto seen = observe_all(desired.kinds, view);
  auto plan = make_plan(desired.kinds, seen, context);
  return Look{std::move(plan), std::move(seen)};
}

std::vector<std::string> blocks_of(const Plan& plan) {
  std::vector<std::string> blocks;
  for (const auto& planned : plan.steps)
    for (const auto& why : planned.step.blocked_by)
      blocks.push_back(fmt::format("{}: {}", planned.step.action.address, why));
  for (const auto& note : plan.notes)
    if (note.severity == Note::Severity::error)
      blocks.push_back(fmt::format("{}: {}", note.address, note.message));
  return blocks;
}

std::string sentence(const Error& error) {
  return error.advice.empty() ? error.message : fmt::format("{}; {}", error.message, error.advice);
}

/// One run: phases of rounds.
class Run {
 public:
  Run(const Desired& desired, const Plan& approved, Host& host, Reporter& reporter, const RunOptions& options)
      : desired_(desired),
        approved_(approved),
        bounds_(approved),
        host_(host),
        reporter_(reporter),
        options_(options) {}

  Result<RunReport> execute() {
    auto owned = Ownership::load(host_.view.files);
    if (!owned) return fail(std::move(owned));
    owned_ = *std::move(owned);
    const auto barriers = std::ranges::count_if(approved_.phases, &Phase::reboot_after);
    for (auto reboots_left = barriers;; --reboots_left) {
      if (auto went = rounds_of_phase(); !went) return fail(std::move(went));
      if (ended_) return std::move(report_);
      if (!report_.last.reboot_required())
        return finish(report_.last.degraded() ? RunReport::Result::degraded : RunReport::Result::converged);
      const auto* interrupted = options_.executor.interrupted;
      if (interrupted != nullptr && interrupted->load()) return finish(RunReport::Result::interrupted);
      const bool now =
          options_.reboot && desired_.policy.disruption >= Disruption::reboot && reboots_left > 0;
      reporter_.barrier(report_.last, now);
      if (!now) return finish(RunReport::Result::reboot_required);
      if (auto rebooted = options_.reboot(); !rebooted) {
        report_.errors.push_back("reboot: " + sentence(rebooted.error()));
        return finish(RunReport::Result::failed);
      }
      rebooted_ = true;
      if (!options_.resumes) return finish(RunReport::Result::reboot_required);
    }
  }

 private:
  /// Rounds until nothing is left to run before the next reboot. Sets `ended_` when the run is over.
  Result<void> rounds_of_phase() {
    StepRunner runner(desired_.name, desired_.kinds, host_, owned_, reporter_);
    for (unsigned round = 1; round <= options_.round_limit; ++round) {
      auto look = look_and_plan(desired_, host_.view, owed_);
      const bool first = report_.rounds++ == 0;
      if (!look && first) return fail(std::move(look));
      if (!look) {
        report_.errors.push_back(sentence(look.error()));
        return stop(runner, RunReport::Result::failed);
      }
      if (first && !same_plan(look->plan, approved_))
        return fail(ErrorKind::stale, "the host is no longer as it was planned for", "plan again");
      report_.last = std::move(look->plan);
      reporter_.planned(report_.last, report_.rounds);
      if (!may_run(first))
        return stop(runner, first ? RunReport::Result::refused : RunReport::Result::failed);
      if (report_.last.phases.empty() || report_.last.phases.front().steps.empty()) {
        settle_debts(runner);
        return {};
      }
      if (first && !remember(look->seen)) return stop(runner, RunReport::Result::failed);
      if (!run_first_phase(runner)) return stop(runner, failure_);
    }
    report_.errors.push_back(fmt::format("the host is not as desired after {} rounds", options_.round_limit));
    return stop(runner, RunReport::Result::failed);
  }

  bool may_run(bool first) {
    auto reasons = blocks_of(report_.last);
    if (!first) std::ranges::move(bounds_.exceeded_by(report_.last, rebooted_), std::back_inserter(reasons));
    std::ranges::move(reasons, std::back_inserter(report_.errors));
    return reasons.empty();
  }

  /// Before anything is changed: a driver that is unloaded takes with it what it knew.
  bool remember(const Observations& seen) {
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (auto kept = desired_.kinds[i]->remember(*seen[i], host_); !kept) {
        report_.errors.push_back(sentence(kept.error()));
        return false;
      }
    return true;
  }

  bool run_first_phase(StepRunner& runner) {
    const auto& plan = report_.last;
    auto phase = execute_phase(plan, 0, runner, options_.executor);
    report_.changed |= phase.changed();
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i].step;
      if (phase.outcomes[i] == Outcome::done && !step.check_only) report_.held.push_back(step.title);
      if (phase.errors[i])
        report_.errors.push_back(fmt::format("{}: {}", step.action.address, sentence(*phase.errors[i])));
    }
    std::ranges::move(phase.owed, std::back_inserter(owed_));
    failure_ = phase.failed() ? RunReport::Result::failed : RunReport::Result::interrupted;
    return !phase.failed() && !phase.interrupted;
  }

  /// What was stopped in an earlier round is started again, whatever else happened.
  void settle_debts(StepRunner& runner) {
    for (const auto& release : owed_)
      if (auto ran = runner.run(release); !ran) {
        report_.errors.push_back(fmt::format("{}: {}", release.step.action.address, sentence(ran.error())));
        finish(RunReport::Result::failed);
      }
    owed_.clear();
  }

  Result<void> stop(StepRunner& runner, RunReport::Result result) {
    finish(result);
    settle_debts(runner);
    if (result != RunReport::Result::refused) look_again();
    return {};
  }

  /// What a step that failed has left behind is told by the host, not by the step.
  void look_again() {
    auto look = look_and_plan(desired_, host_.view, {});
    report_.changed = !look || look->plan.fingerprint() != approved_.fingerprint();
    if (look) report_.last = std::move(look->plan);
  }

  RunReport finish(RunReport::Result result) {
    ended_ = true;
    report_.result = result;
    return report_;
  }

  const Desired& desired_;
  const Plan& approved_;
  const Bounds bounds_;
  Host& host_;
  Reporter& reporter_;
  const RunOptions& options_;
  Ownership owned_;
  std::vector<PlannedStep> owed_;
  RunReport report_;
  RunReport::Result failure_ = RunReport::Result::failed;
  bool rebooted_ = false;
  bool ended_ = false;
};

}  // namespace

Result<Plan> plan_once(const Desired& desired, const HostView& host) {
  auto look = look_and_plan(desired, host, {});
  if (!look) return fail(std::move(look));
  return std::move(look->plan);
}

Result<RunReport> reconcile(const Desired& desired, const Plan& approved, Host& host, Reporter& reporter,
                            const RunOptions& options) {
  return Run(desired, approved, host, reporter, options).execute();
}

}  // namespace gpuhost
