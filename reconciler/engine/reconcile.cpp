#include "engine/reconcile.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "engine/bounds.hpp"
#include "engine/repetition.hpp"
#include "engine/rollback.hpp"
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
    case RunReport::Result::undone:
      return "undone";
    case RunReport::Result::failed:
      return "failed";
    case RunReport::Result::interrupted:
      return "interrupted";
  }
  std::unreachable();
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

namespace {

struct Look {
  Plan plan;
  Observations seen;
  Preconditions before;  ///< empty unless asked for
};

enum class For { reading, running };

/// What the journal owes, which is planned by nobody else.
std::vector<StepAction> owed_by(const Journal& journal) {
  std::vector<StepAction> owed;
  for (const auto& obligation : journal.obligations())
    if (!obligation.discharged) owed.push_back(obligation.action);
  return owed;
}

Result<Look> look_and_plan(const Desired& desired, const HostView& host, For purpose,
                           std::vector<StepAction> owed = {}) {
  // One memory for the whole look, so that no file is read twice and all kinds see one state.
  const MemoFiles files(host.files);
  RoundMemo memo;
  const HostView view{.files = files,
                      .modules = host.modules,
                      .units = host.units,
                      .domains = host.domains,
                      .processes = host.processes,
                      .gpus = host.gpus,
                      .clock = host.clock,
                      .running = host.running,
                      .memo = &memo};
  auto owned = Ownership::load(files);
  if (!owned) return fail(std::move(owned));
  auto abandoned = load_abandoned_writes(files);
  if (!abandoned) return fail(std::move(abandoned));
  PlanContext context{.host = HostIdentity::read(files),
                      .document = desired.name,
                      .document_sha256 = desired.sha256,
                      .owned = *owned,
                      .policy = desired.policy,
                      .running = host.running,
                      .owed = std::move(owed),
                      .scope = desired.scope,
                      .abandoned = *std::move(abandoned)};
  auto seen = observe_all(desired.kinds, view);
  auto plan = make_plan(desired.kinds, seen, context);
  auto before = purpose == For::running ? preconditions_of(plan, desired.kinds, view) : Preconditions{};
  return Look{std::move(plan), std::move(seen), std::move(before)};
}

/// What a plan has found of these addresses.
std::vector<Json> found_of(const Plan& plan, const std::set<std::string>& addresses) {
  std::vector<Json> found;
  for (const auto& finding : plan.findings)
    if (addresses.contains(finding.address))
      found.push_back({finding.address, to_string(finding.verdict), finding.observed});
  return found;
}

/// One run: phases of rounds.
class Run {
 public:
  Run(const Desired& desired, const Plan& approved, Host& host, Reporter& reporter, const RunOptions& options)
      : desired_(desired),
        approved_(approved),
        bounds_(desired.resumed ? desired.resumed->bounds : Bounds(approved)),
        host_(host),
        reporter_(reporter),
        options_(options),
        resumed_(desired.resumed),
        rebooted_(desired.resumed.has_value()) {}

  Result<RunReport> execute() {
    auto owned = Ownership::load(host_.view.files);
    if (!owned) return fail(std::move(owned));
    owned_ = *std::move(owned);
    for (auto reboots_left = reboots_at_most();; --reboots_left) {
      if (auto went = rounds_of_phase(); !went) return fail(std::move(went));
      if (ended_) return std::move(report_);
      if (!report_.last.reboot_required()) return finish_converged();
      const auto* interrupted = options_.executor.interrupted;
      if (interrupted != nullptr && interrupted->load()) return finish(RunReport::Result::interrupted);
      bool now = options_.reboot && desired_.policy.disruption >= Disruption::reboot && reboots_left > 0;
      for (const auto& why : now ? report_.last.against_reboot() : std::vector<std::string>{}) {
        report_.errors.push_back("the reboot is left to you: " + why);
        now = false;
      }
      reporter_.barrier(report_.last, now);
      if (!left_pending(now ? reboots_left - 1 : 0)) return finish(RunReport::Result::failed);
      if (!now) return finish(RunReport::Result::reboot_required);
      if (auto rebooted = options_.reboot(); !rebooted) {
        report_.errors.push_back("reboot: " + rebooted.error().sentence());
        return finish(RunReport::Result::failed);
      }
      rebooted_ = true;
      if (!options_.resumes) return finish(RunReport::Result::reboot_required);
    }
  }

 private:
  [[nodiscard]] unsigned reboots_at_most() const {
    if (resumed_) return resumed_->reboots_left;
    return static_cast<unsigned>(std::ranges::count_if(approved_.phases, &Phase::reboot_after));
  }

  /// Before the reboot: whoever goes on after it knows no more than is on record.
  bool left_pending(unsigned reboots_left) {
    if (desired_.scope != Scope::all) return true;
    PendingPhase phase{.document_sha256 = desired_.sha256,
                       .boot_id = report_.last.host.boot_id,
                       .bounds = bounds_,
                       .reboots_left = reboots_left};
    if (resumed_) {
      phase.boots = resumed_->boots;
      phase.begun_in = resumed_->begun_in;
    }
    return recorded(leave_pending(desired_.name, std::move(phase), report_.last, host_));
  }

  /// Goes on with what an earlier boot has left, unless that was tried too often.
  bool begun() {
    const auto& boot = report_.last.host.boot_id;
    if (!resumed_->given_up(boot)) return recorded(begin_pending(desired_.name, *resumed_, boot, host_));
    report_.errors.push_back(fmt::format(
        "what was staged before a reboot was gone on with in {} boots and is not done; it is not tried "
        "again: find out why, then apply the document without --scope",
        resumed_->boots));
    return false;
  }

  RunReport finish_converged() {
    // A part of the host that was brought back does not end what waits for all of it.
    auto ended = desired_.scope == Scope::all ? end_pending(desired_.name, host_)
                                              : end_outdated_pending(desired_.name, desired_.sha256, host_);
    if (!recorded(std::move(ended))) return finish(RunReport::Result::failed);
    return finish(report_.last.degraded() ? RunReport::Result::degraded : RunReport::Result::converged);
  }

  bool recorded(Result<void> written) {
    if (written) return true;
    report_.errors.push_back(written.error().sentence());
    return false;
  }

  /// Rounds until nothing is left to run before the next reboot. Sets `ended_` when the run is over.
  Result<void> rounds_of_phase() {
    for (unsigned round = 1; round <= options_.round_limit; ++round) {
      auto look = look_and_plan(desired_, host_.view, For::running, owed_by(journal_));
      const bool first = report_.rounds++ == 0;
      if (!look && first) return fail(std::move(look));
      if (!look) {
        report_.errors.push_back(look.error().sentence());
        return stop(RunReport::Result::failed);
      }
      if (first && !same_plan(look->plan, approved_))
        return fail(ErrorKind::stale, "the host is no longer as it was planned for", "plan again");
      report_.last = std::move(look->plan);
      if (round == 1) begin_phase();
      reporter_.planned(report_.last, report_.rounds);
      if (!may_run(first)) return stop(first ? RunReport::Result::refused : RunReport::Result::failed);
      if (first && resumed_ && !begun()) return stop(RunReport::Result::failed);
      if (report_.last.phases.empty() || report_.last.phases.front().steps.empty()) return end_phase();
      if (first && !remember(look->seen)) return stop(RunReport::Result::failed);
      if (auto why = repetition_.in_vain(report_.last); !why.empty()) {
        report_.errors.push_back(std::move(why));
        return stop(RunReport::Result::failed);
      }
      if (!run_first_phase(std::move(look->before))) return stop(failure_);
    }
    report_.errors.push_back(fmt::format("the host is not as desired after {} rounds", options_.round_limit));
    return stop(RunReport::Result::failed);
  }

  void begin_phase() {
    before_ = report_.last;
    held_before_ = report_.held.size();
    repetition_.clear();
    journal_ = Journal({.document = desired_.name,
                        .document_sha256 = desired_.sha256,
                        .boot_id = before_.host.boot_id,
                        .started = host_.view.clock.utc_now(),
                        .allowed = most_to_undo(),
                        .rollback = options_.rollback,
                        .trial = options_.confirm_within.has_value()});
  }

  /// Whoever tries something has agreed to its undoing, as far as the policy goes.
  [[nodiscard]] Disruption most_to_undo() const {
    const auto shown = approved_.most_disruption();
    return options_.confirm_within ? std::max(shown, desired_.policy.disruption) : shown;
  }

  /// What was stopped is started again; from here on nothing is undone any more, unless it waits for a word.
  Result<void> end_phase() {
    if (!settle()) return stop(RunReport::Result::failed);
    if (!recorded(end_journal())) finish(RunReport::Result::failed);
    return {};
  }

  Result<void> end_journal() {
    if (!options_.confirm_within || journal_.steps().empty()) return journal_.close(host_.files);
    report_.confirm_within = options_.confirm_within;
    const auto now = std::chrono::floor<std::chrono::seconds>(host_.view.clock.since_boot());
    return journal_.await_confirmation(now + *options_.confirm_within, host_.files);
  }

  bool may_run(bool first) {
    auto reasons = blocks_of(report_.last);
    if (!first || resumed_)
      std::ranges::move(bounds_.exceeded_by(report_.last, rebooted_), std::back_inserter(reasons));
    std::ranges::move(reasons, std::back_inserter(report_.errors));
    return reasons.empty();
  }

  /// Before anything is changed: a driver that is unloaded takes with it what it knew.
  bool remember(const Observations& seen) {
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (auto kept = desired_.kinds[i]->remember(*seen[i], host_); !kept) {
        report_.errors.push_back(kept.error().sentence());
        return false;
      }
    return true;
  }

  bool run_first_phase(Preconditions before) {
    const auto& plan = report_.last;
    StepRunner runner(context_, plan, std::move(before));
    auto phase = execute_phase(plan, 0, runner, options_.executor);
    report_.changed |= phase.changed();
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i].step;
      if (phase.outcomes[i] == Outcome::done) repetition_.done(step);
      if (phase.outcomes[i] == Outcome::done && !step.check_only) report_.held.push_back(step.title);
      if (phase.errors[i])
        report_.errors.push_back(fmt::format("{}: {}", step.action.address, phase.errors[i]->sentence()));
    }
    failure_ = phase.failed() ? RunReport::Result::failed : RunReport::Result::interrupted;
    return !phase.failed() && !phase.interrupted;
  }

  /// What was stopped for a step is started again, whatever else happened.
  bool settle() {
    auto errors = settle_obligations(context_);
    const bool settled = errors.empty();
    std::ranges::move(errors, std::back_inserter(report_.errors));
    return settled;
  }

  Result<void> stop(RunReport::Result result) {
    finish(result);
    if (result == RunReport::Result::refused) return {};
    const bool undoes = result == RunReport::Result::failed && options_.rollback && !journal_.steps().empty();
    if (undoes) roll_back_phase();
    bool whole = settle();
    // A trial that was interrupted is one of what it has come to.
    const bool tried = result == RunReport::Result::interrupted;
    whole &= recorded(tried ? end_journal() : journal_.close(host_.files));
    look_again(undoes, whole);
    if (undoes) reporter_.rollback_ended(report_.result == RunReport::Result::undone || !report_.changed);
    return {};
  }

  void roll_back_phase() {
    reporter_.rollback_started();
    rolled_ = roll_back(context_);
    report_.undone = std::move(rolled_.undone);
    report_.held.resize(held_before_);
    report_.held.insert(report_.held.end(), rolled_.held.begin(), rolled_.held.end());
    std::ranges::copy(rolled_.errors, std::back_inserter(report_.errors));
  }

  /// What a step that failed has left behind is told by the host, not by the step.
  void look_again(bool rolled_back, bool whole) {
    auto look = look_and_plan(desired_, host_.view, For::reading);
    report_.changed = !look || look->plan.fingerprint() != approved_.fingerprint();
    const bool restored = rolled_back && whole && report_.held.empty() && look && reads_as_before(look->plan);
    if (restored) report_.changed = false;
    if (rolled_back && !report_.held.empty()) report_.changed = true;
    if (rolled_back && !restored && report_.held.empty() && report_.changed)
      report_.errors.emplace_back(
          "every step was undone, and the host still does not read as before: compare it with the plan");
    if (restored && rolled_.acted) report_.result = RunReport::Result::undone;
    if (look) report_.last = std::move(look->plan);
  }

  /// What the run has touched; the rest is not its doing.
  [[nodiscard]] bool reads_as_before(const Plan& now) const {
    std::set<std::string> touched;
    for (const auto& step : journal_.steps()) touched.insert(step.action.address);
    return found_of(now, touched) == found_of(before_, touched);
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
  std::optional<PendingPhase> resumed_;
  Ownership owned_;
  Journal journal_{{}};
  RunContext context_{desired_.name, desired_.kinds, host_, owned_, journal_, reporter_};
  Plan before_;  ///< of the first look of the phase
  Repetition repetition_;
  std::size_t held_before_ = 0;  ///< entries of report_.held that are of earlier phases
  RollbackReport rolled_;
  RunReport report_;
  RunReport::Result failure_ = RunReport::Result::failed;
  bool rebooted_;
  bool ended_ = false;
};

}  // namespace

Result<std::optional<Note>> resume_pending(Desired& desired, const HostView& host) {
  if (desired.scope == Scope::all) return std::nullopt;
  const auto phases = load_pending_phases(host.files);
  if (!phases) return std::unexpected(phases.error());
  const auto found = phases->find(desired.name);
  if (found == phases->end()) return std::nullopt;
  const auto& phase = found->second;
  if (phase.document_sha256 != desired.sha256)
    return Note{Note::Severity::warning,
                {},
                "the document has changed since its last run ended at a reboot: that run is not gone on with",
                "apply the document without --scope"};
  if (!phase.due(HostIdentity::read(host.files).boot_id)) return std::nullopt;
  desired.resumed = phase;
  if (desired.scope == Scope::runtime) desired.scope = Scope::all;
  return Note{Note::Severity::info,
              {},
              "goes on with the run that ended at the last reboot, within what was approved then"};
}

Result<Plan> plan_once(const Desired& desired, const HostView& host) {
  auto look = look_and_plan(desired, host, For::reading);
  if (!look) return fail(std::move(look));
  return std::move(look->plan);
}

Result<RunReport> reconcile(const Desired& desired, const Plan& approved, Host& host, Reporter& reporter,
                            const RunOptions& options) {
  return Run(desired, approved, host, reporter, options).execute();
}

}  // namespace gpuhost
