#include "cli/planning.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/journal.hpp"
#include "engine/trial.hpp"
#include "render/verify.hpp"

namespace gpuhost {

namespace {

Result<void> check_host(const DecodedDocument& document, const HostIdentity& host) {
  if (is_meant_for(document, host)) return {};
  return fail(ErrorKind::stale,
              fmt::format("document '{}' is for hosts {}, not for '{}' (machine-id '{}')",
                          document.desired.name, join(document.hosts, ", "), host.name, host.machine_id),
              "use the document of this host, or change its metadata.hosts");
}

/// What an interrupted run has done is undone before an apply plans, so that its plan may be another.
std::optional<Note> note_of_left(const Result<std::optional<Journal>>& left) {
  if (!left)
    return Note{Note::Severity::warning,
                {},
                "whether a run was interrupted is unknown: " + left.error().message,
                left.error().advice};
  if (!*left) return std::nullopt;
  const auto& run = (*left)->header();
  const auto what = fmt::format("the run of document '{}' of {}", run.document, run.started);
  if ((*left)->awaits_confirmation())
    return Note{Note::Severity::warning,
                {},
                what + " waits to be confirmed",
                "nothing is applied until that is decided: 'gpuhost confirm' keeps it, 'gpuhost recover' "
                "undoes it"};
  return Note{Note::Severity::warning,
              {},
              what + " has not ended: it goes on, or was interrupted",
              "after an interrupted run apply undoes first what that has done, and plans then"};
}

/// A boot unit does not bring back what was undone for want of a word.
Result<std::optional<Note>> note_of_trial(const Desired& desired, const HostView& host) {
  if (desired.scope == Scope::all) return std::nullopt;
  const auto trials = load_trials(host.files);
  if (!trials) return std::unexpected(trials.error());
  const auto tried = trials->find(desired.name);
  if (tried == trials->end() || tried->second != desired.sha256) return std::nullopt;
  return Note{Note::Severity::error,
              {},
              fmt::format("document '{}' was tried and not confirmed", desired.name),
              "apply it without --scope to keep it, or put the earlier document in its place"};
}

}  // namespace

bool is_meant_for(const DecodedDocument& document, const HostIdentity& host) {
  return document.hosts.empty() || std::ranges::any_of(document.hosts, [&](const std::string& pattern) {
           return glob_matches(pattern, host.name) || glob_matches(pattern, host.machine_id);
         });
}

std::string place_of(const Unsupported& part) {
  return fmt::format("{} at {}", part.key, part.place);
}

ExitCode code_of_unknown(const Plan& plan) {
  const auto counts = count_findings(plan);
  if (counts.denied > 0) return ExitCode::denied;
  return counts.unknown > 0 ? ExitCode::unavailable : ExitCode::done;
}

OrExit<Plan> plan_document(DecodedDocument& document, const HostView& host, Trust local_limits) {
  if (const auto meant = check_host(document, HostIdentity::read(host.files)); !meant)
    return std::unexpected(report(meant.error()));
  if (const auto held = hold_to_local_limits(document, host.files, local_limits); !held)
    return std::unexpected(held.error());
  auto unconfirmed = note_of_trial(document.desired, host);
  if (!unconfirmed) return std::unexpected(report(unconfirmed.error()));
  auto resuming = resume_pending(document.desired, host);
  if (!resuming) return std::unexpected(report(resuming.error()));
  auto plan = plan_once(document.desired, host);
  if (!plan) return std::unexpected(report(plan.error()));
  if (*unconfirmed) plan->notes.push_back(**std::move(unconfirmed));
  if (*resuming) plan->notes.push_back(**std::move(resuming));
  if (const auto& resumed = document.desired.resumed)
    for (auto& excess : resumed->bounds.exceeded_by(*plan, true))
      plan->notes.push_back(
          {Note::Severity::error, {}, std::move(excess), "apply the document without --scope"});
  const auto left = Journal::load(host.files);
  if (!left && left.error().kind == ErrorKind::stale) return std::unexpected(report(left.error()));
  if (auto note = note_of_left(left)) plan->notes.push_back(*std::move(note));
  for (const auto& part : document.unsupported)
    plan->notes.push_back({Note::Severity::error, part.key,
                           fmt::format("not supported by this version ({})", part.place), part.advice});
  for (const auto& override_ : document.overridden)
    plan->notes.push_back({Note::Severity::info, {}, override_});
  plan->notes.insert(plan->notes.end(), document.limit_notes.begin(), document.limit_notes.end());
  if (!document.unsupported.empty()) plan->complete = false;
  return std::move(*plan);
}

}  // namespace gpuhost
