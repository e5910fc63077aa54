#include "engine/checks.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace gpuhost {

namespace {

/// Why the step may not be, as it would touch a guest or GPU that is protected.
std::optional<std::string> protection(const Step& step, const Policy& policy) {
  for (const auto& affected : step.affects) {
    std::optional<std::string> why;
    if (affected.type == "vm") why = policy.protection_of_vm(affected.name);
    if (affected.type == "gpu")
      if (const auto address = PciAddress::parse(affected.name)) why = policy.protection_of_gpu(*address);
    if (why) return why;
  }
  return std::nullopt;
}

std::string sentence_of(const Step& step) {
  std::string whom;
  for (const auto& affected : step.affects)
    whom += fmt::format("{}{} {}", whom.empty() ? "" : ", ", affected.type, affected.name);
  return whom.empty() ? "" : fmt::format(" ({})", whom);
}

void check_step(Step& step, const std::string& document, const Policy& policy, const Ownership& owned) {
  if (step.disruption > policy.disruption)
    step.blocked_by.push_back(
        fmt::format("it needs disruption {}{}, and {} is allowed; {}", to_string(step.disruption),
                    sentence_of(step), to_string(policy.disruption), policy.way_to_allow(step.disruption)));
  if (auto why = protection(step, policy)) step.blocked_by.push_back(*std::move(why));
  if (!step.claims) return;
  if (const auto other = owned.other_owner(document, step.claims->address))
    step.blocked_by.push_back(
        fmt::format("{} belongs to document '{}'; take it out of one of the two documents",
                    step.claims->address, *other));
}

void rest_on(PlannedStep& dependant, const PlannedStep& blocked) {
  dependant.step.blocked_by.push_back(
      fmt::format("rests on step {} ({}), which is blocked", blocked.id.substr(1), blocked.step.title));
}

/// Whether two values differ where both say something: a document that names another option than its last
/// version has changed its wish, and not the host.
bool differ(const Json& applied, const Json& observed) {
  if (!applied.is_object() || !observed.is_object()) return applied != observed;
  return std::ranges::any_of(applied.items(), [&](const auto& item) {
    return observed.contains(item.key()) && differ(item.value(), observed[item.key()]);
  });
}

/// For boot-scoped values the part that is configured, as ownership records it.
const Json& configured(const Json& observed) {
  return observed.is_object() && observed.contains("next_boot") ? observed["next_boot"] : observed;
}

}  // namespace

void check_allowed(std::vector<PlannedStep>& steps, const std::string& document, const Policy& policy,
                   const Ownership& owned) {
  for (auto& planned : steps) check_step(planned.step, document, policy, owned);
}

void check_owners(Plan& plan, const Ownership& owned) {
  std::set<std::string> claimed;
  for (const auto& planned : plan.steps)
    if (planned.step.claims) claimed.insert(planned.step.claims->address);
  for (const auto& finding : plan.findings)
    if (const auto other = owned.other_owner(plan.document, finding.owned_as());
        other && !claimed.contains(finding.owned_as()))
      plan.notes.push_back({Note::Severity::error, finding.address,
                            fmt::format("belongs to document '{}'", *other),
                            "take it out of one of the two documents"});
}

bool concerns(const StepAction& action, const std::vector<std::string>& lanes, const std::string& device) {
  return action.address.contains(device) || action.arguments.dump().contains(device) ||
         std::ranges::any_of(lanes, [&](const std::string& lane) { return lane.contains(device); });
}

void check_abandoned(Plan& plan, const AbandonedWrites& abandoned) {
  for (const auto& write : abandoned) {
    for (auto& [id, step, after, phase, releases] : plan.steps)
      if (concerns(step.action, step.lanes, write.device)) step.blocked_by.push_back(write.sentence());
    for (const auto& finding : plan.findings)
      if (finding.verdict == Finding::Verdict::unknown && finding.reason.contains(write.sentence()))
        plan.notes.push_back({Note::Severity::error, finding.address, write.sentence()});
  }
}

void spread_blocks(std::vector<PlannedStep>& steps) {
  // What opens a bracket is blocked with what closes it, before the block spreads to the users between.
  for (const auto& closing : steps)
    if (closing.releases && !closing.step.blocked_by.empty() &&
        steps[*closing.releases].step.blocked_by.empty())
      rest_on(steps[*closing.releases], closing);
  for (auto& planned : steps)
    for (const auto before : planned.after)
      if (planned.step.blocked_by.empty() && !steps[before].step.blocked_by.empty())
        rest_on(planned, steps[before]);
}

void explain_reasons(std::vector<PlannedStep>& steps, const std::string& document, const Ownership& owned) {
  for (auto& planned : steps) {
    Step& step = planned.step;
    if (step.gives_back) {
      step.reason = ActionReason::removed_from_desired;
    } else if (step.claims && step.reason == ActionReason::desired_changed) {
      const auto* before = owned.find(document, step.claims->address);
      step.reason = before && before->applied == step.claims->applied ? ActionReason::drift
                                                                      : ActionReason::desired_changed;
    }
  }
}

std::vector<Drift> drift_of(const std::vector<Finding>& findings, const std::string& document,
                            const Ownership& owned) {
  std::vector<Drift> drift;
  for (const auto& finding : findings) {
    if (finding.verdict == Finding::Verdict::unknown) continue;
    const auto* object = owned.find(document, finding.owned_as());
    if (object && differ(object->applied, configured(finding.observed)))
      drift.push_back({finding.address, object->applied, configured(finding.observed)});
  }
  return drift;
}

}  // namespace gpuhost
