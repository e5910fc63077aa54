#include "cli/trial.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/trial.hpp"

namespace gpuhost {

namespace {

/// Steps that undo more than the policy allows, as far as it can be told before they run.
std::vector<std::string> too_disruptive_to_undo(const Desired& desired, const Plan& plan,
                                                const HostView& host) {
  std::vector<std::string> found;
  for (const auto& planned : plan.steps) {
    const auto& action = planned.step.action;
    const auto kind =
        std::ranges::find_if(desired.kinds, [&](const auto& one) { return one->name() == action.kind; });
    if (planned.step.provisional || kind == desired.kinds.end()) continue;
    const auto undo = (*kind)->undo_of(action, host);
    if (undo && *undo && (*undo)->disruption > desired.policy.disruption)
      found.push_back(fmt::format("{} ({})", planned.step.title, to_string((*undo)->disruption)));
  }
  return found;
}

Result<void> check_undoable(const Desired& desired, const Plan& plan, const HostView& host) {
  if (plan.reboot_required())
    return fail(ErrorKind::unsupported, "cannot try what needs a reboot: a boot undoes what is not confirmed",
                "apply it without --try");
  std::vector<std::string> final;
  for (const auto& planned : plan.steps)
    if (!planned.step.check_only && planned.step.reversible == Reversible::none)
      final.push_back(planned.step.title);
  if (!final.empty())
    return fail(ErrorKind::unsupported, "cannot try what nothing can undo: " + join(final, ", "),
                "apply it without --try");
  const auto disruptive = too_disruptive_to_undo(desired, plan, host);
  if (disruptive.empty()) return {};
  return fail(ErrorKind::unsupported,
              "cannot try what takes more to undo than the policy allows: " + join(disruptive, ", "),
              "set policy.disruption to that, or apply it without --try");
}

}  // namespace

Result<void> begin_approved(const Desired& desired, std::optional<std::chrono::seconds> confirm_within,
                            const Plan& plan, Target& target) {
  auto host = target.host();
  if (!confirm_within) return desired.scope == Scope::all ? end_trial(desired.name, host) : Result<void>{};
  if (plan.steps.empty()) return {};
  if (auto undoable = check_undoable(desired, plan, host.view); !undoable) return undoable;
  // Before the first step, so that it survives whatever the steps do to this process.
  if (auto armed = target.undo_later(*confirm_within); !armed)
    return std::unexpected(std::move(armed).error().within("nobody would undo it"));
  return begin_trial(desired.name, desired.sha256, host);
}

Result<void> end_fruitless_trial(const Desired& desired, const Result<RunReport>& run, Target& target) {
  if (run && run->confirm_within) return {};
  if (auto cancelled = target.cancel_undo(); !cancelled) return cancelled;
  auto host = target.host();
  const bool touched = run && (run->changed || !run->undone.empty());
  return touched ? Result<void>{} : end_trial(desired.name, host);
}

}  // namespace gpuhost
