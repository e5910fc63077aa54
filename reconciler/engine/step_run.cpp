#include "engine/step_run.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

namespace {

Result<const Kind*> find_kind(const Kinds& kinds, const StepAction& action) {
  const auto kind = std::ranges::find(kinds, action.kind, [](const auto& k) { return k->name(); });
  if (kind == kinds.end())
    return fail(ErrorKind::unsupported,
                fmt::format("no kind '{}' can run a step of {}", action.kind, action.address));
  return kind->get();
}

}  // namespace

Result<const Kind*> RunContext::kind_of(const StepAction& action) const {
  return find_kind(kinds, action);
}

Result<bool> RunContext::bring_about(const StepAction& action) const {
  const auto kind = kind_of(action);
  if (!kind) return std::unexpected(kind.error());
  const auto already = (*kind)->satisfied(action, host.view);
  if (!already || *already) return already ? Result<bool>(false) : already;
  if (auto acted = act(**kind, action, fmt::format("'{}' of {}", action.verb, action.address)); !acted)
    return fail(std::move(acted));
  return true;
}

Result<void> RunContext::act(const Kind& kind, const StepAction& action, std::string_view what) const {
  if (auto ran = kind.run(action, host); !ran) return ran;
  auto after = kind.satisfied(action, host.view);
  if (!after) return std::unexpected(std::move(after).error().within("done, but cannot be read back"));
  if (!*after)
    return fail(ErrorKind::mismatch,
                fmt::format("{}: done without an error, but the host reads otherwise", what),
                "another program may be changing it; look at the host, then plan again");
  return {};
}

Result<void> RunContext::store(Ownership next) {
  if (next == owned) return {};
  if (auto written = next.store(host.view.files, host.files); !written)
    return std::unexpected(std::move(written).error().within("ownership cannot be recorded"));
  owned = std::move(next);
  return {};
}

Preconditions preconditions_of(const Plan& plan, const Kinds& kinds, const HostView& host) {
  Preconditions before(plan.steps.size());
  if (plan.phases.empty()) return before;
  for (const auto i : plan.phases.front().steps) {
    const Step& step = plan.steps[i].step;
    const auto kind = find_kind(kinds, step.action);
    if (step.provisional || step.check_only || !kind) continue;
    if (auto undo = (*kind)->undo_of(step.action, host)) before[i] = *std::move(undo);
  }
  return before;
}

Result<Outcome> StepRunner::run(std::size_t index) {
  const auto& planned = plan_.steps[index];
  {
    const std::lock_guard lock(reports_mutex_);
    run_.reporter.started(planned);
  }
  auto outcome = attempt(index);
  const std::lock_guard lock(reports_mutex_);
  if (outcome)
    run_.reporter.finished(planned, *outcome);
  else
    run_.reporter.errored(planned, outcome.error());
  return outcome;
}

Result<Outcome> StepRunner::attempt(std::size_t index) {
  const Step& step = plan_.steps[index].step;
  if (step.check_only) return check(step);
  const auto kind = run_.kind_of(step.action);
  if (!kind) return std::unexpected(kind.error());
  const auto satisfied = (*kind)->satisfied(step.action, run_.host.view);
  if (!satisfied) return std::unexpected(Error(satisfied.error()).within("cannot tell whether it is needed"));
  auto undo = *satisfied ? Undo{step.action} : undo_from_here(index, **kind);
  if (!undo) return fail(std::move(undo));
  const auto record = begin(index, *std::move(undo), *satisfied);
  if (!record) return std::unexpected(record.error());
  if (!*satisfied)
    if (auto acted = run_.act(**kind, step.action, step.title); !acted) {
      const std::lock_guard lock(records_mutex_);
      (void)run_.journal.end(*record, StepRecord::State::failed, run_.host.files);  // "intended" says as much
      return fail(std::move(acted));
    }
  if (auto ended = end(step, *record); !ended) return fail(std::move(ended));
  if (*satisfied) return Outcome::already_satisfied;
  renew_preconditions(index);
  return Outcome::done;
}

Result<Outcome> StepRunner::check(const Step& step) const {
  const auto kind = run_.kind_of(step.action);
  if (!kind) return std::unexpected(kind.error());
  const auto so = (*kind)->satisfied(step.action, run_.host.view);
  if (!so) return std::unexpected(Error(so.error()).within("cannot tell whether it is needed"));
  if (*so) return Outcome::already_satisfied;
  return fail(ErrorKind::mismatch, fmt::format("{}: it is not so", step.title), step.explanation);
}

Result<std::optional<Undo>> StepRunner::undo_from_here(std::size_t index, const Kind& kind) {
  const auto& planned = plan_.steps[index];
  auto undo = kind.undo_of(planned.step.action, run_.host.view);
  if (!undo) return std::unexpected(std::move(undo).error().within("cannot tell how to undo it"));
  const std::lock_guard lock(records_mutex_);
  const auto& assumed = before_[index];
  if (assumed && *undo && *assumed != **undo)
    return fail(ErrorKind::stale,
                fmt::format("drifted at step {} ({}): another hand has changed {} since it was planned",
                            planned.id, planned.step.title, planned.step.action.address),
                "find out what changes it, then plan again");
  return undo;
}

Result<std::size_t> StepRunner::begin(std::size_t index, std::optional<Undo> undo, bool satisfied) {
  const auto& [id, step, after, phase, releases] = plan_.steps[index];
  const std::lock_guard lock(records_mutex_);
  StepRecord record{.action = step.action,
                    .title = step.title,
                    .lanes = step.lanes,
                    .derived = step.derived,
                    .after = {},
                    .undo = std::move(undo),
                    .owned = {}};
  for (const auto before : after)
    if (const auto begun = records_.find(before); begun != records_.end())
      record.after.push_back(begun->second);
  const auto object = step.claims ? std::optional(step.claims->address) : step.gives_back;
  if (object) {
    const auto* known = run_.owned.find(run_.document, *object);
    record.owned = {*object, known != nullptr ? std::optional(*known) : std::nullopt};
  }
  auto begun =
      run_.journal.begin(std::move(record), satisfied ? std::nullopt : obligation_of(index), run_.host.files);
  if (!begun) return begun;
  records_[index] = *begun;
  if (!step.claims) return begun;
  auto next = run_.owned;
  next.claim(run_.document, *step.claims);
  if (auto stored = run_.store(std::move(next)); !stored) return fail(std::move(stored));
  return begun;
}

std::optional<Obligation> StepRunner::obligation_of(std::size_t index) const {
  for (const auto& planned : plan_.steps)
    if (planned.releases == index) return Obligation{planned.step.action, planned.step.title};
  return std::nullopt;
}

Result<void> StepRunner::end(const Step& step, std::size_t record) {
  const std::lock_guard lock(records_mutex_);
  if (step.gives_back) {
    auto next = run_.owned;
    next.give_back(run_.document, *step.gives_back);
    if (auto stored = run_.store(std::move(next)); !stored) return stored;
  }
  const auto& obligations = run_.journal.obligations();
  for (std::size_t i = 0; i < obligations.size(); ++i)
    if (!obligations[i].discharged && obligations[i].action == step.action)
      if (auto written = run_.journal.discharge(i, run_.host.files); !written) return written;
  return run_.journal.end(record, StepRecord::State::done, run_.host.files);
}

void StepRunner::renew_preconditions(std::size_t index) {
  std::set<std::size_t> touched{index};
  const auto& lanes = plan_.steps[index].step.lanes;
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {  // in plan order, so that one pass finds them all
    const auto& [id, step, after, phase, releases] = plan_.steps[i];
    const bool rests_on_it =
        std::ranges::any_of(after, [&](auto before) { return touched.contains(before); });
    const bool shares_lane = std::ranges::find_first_of(step.lanes, lanes) != step.lanes.end();
    if (rests_on_it || shares_lane) touched.insert(i);
  }
  touched.erase(index);
  for (const auto i : touched) {
    {
      const std::lock_guard lock(records_mutex_);
      if (!before_[i] || records_.contains(i)) continue;
    }
    const auto& action = plan_.steps[i].step.action;
    const auto kind = run_.kind_of(action);
    auto undo = kind ? (*kind)->undo_of(action, run_.host.view) : std::optional<Undo>{};
    const std::lock_guard lock(records_mutex_);
    before_[i] = undo ? *std::move(undo) : std::nullopt;
  }
}

std::vector<std::string> settle_obligations(RunContext& run) {
  std::vector<std::string> errors;
  const auto& obligations = run.journal.obligations();
  for (std::size_t i = 0; i < obligations.size(); ++i) {
    if (obligations[i].discharged) continue;
    const auto& [action, title, discharged] = obligations[i];
    PlannedStep release{.id = fmt::format("release-{}", i + 1), .step = {.action = action}, .after = {}};
    release.step.actions = {action.verb};
    release.step.title = release.step.progress = title;
    run.reporter.started(release);
    const auto acted = run.bring_about(action);
    if (!acted) {
      run.reporter.errored(release, acted.error());
      errors.push_back(fmt::format("{}: {}", action.address, acted.error().sentence()));
      continue;
    }
    run.reporter.finished(release, *acted ? Outcome::done : Outcome::already_satisfied);
    // It is done whether that can be written down or not, and doing it again does no harm.
    (void)run.journal.discharge(i, run.host.files);
  }
  return errors;
}

}  // namespace gpuhost
