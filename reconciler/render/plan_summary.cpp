#include "render/plan_summary.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::array<std::string_view, 3> leading_actions{"create", "update", "delete"};

std::vector<std::string> action_counts(const PlanSummary& summary) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view word, std::size_t count) {
    if (count > 0) parts.push_back(fmt::format("{} to {}", count, word));
  };
  for (const auto word : leading_actions)
    if (const auto found = summary.actions.find(std::string(word)); found != summary.actions.end())
      add(word, found->second);
  for (const auto& [word, count] : summary.actions)
    if (std::ranges::find(leading_actions, word) == leading_actions.end()) add(word, count);
  return parts;
}

/// The steps that come after this one because they need it: "step 4", "steps 4, 5".
std::string dependants(const Plan& plan, std::size_t step) {
  std::vector<std::size_t> users;
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    if (plan.steps[i].releases != step &&
        std::ranges::find(plan.steps[i].after, step) != plan.steps[i].after.end())
      users.push_back(i);
  return users.empty() ? std::string() : numbered(users);
}

}  // namespace

std::string numbered(const std::vector<std::size_t>& steps) {
  std::vector<std::string> numbers;
  for (const auto index : steps) numbers.push_back(std::to_string(index + 1));
  return fmt::format("{} {}", numbers.size() == 1 ? "step" : "steps", join(numbers, ", "));
}

PlanSummary summarise(const Plan& plan) {
  PlanSummary summary;
  for (const auto& planned : plan.steps) {
    for (const auto& action : planned.step.actions) ++summary.actions[action];
    if (!planned.step.blocked_by.empty()) ++summary.blocked;
  }
  summary.disruption = plan.most_disruption();
  summary.reboots = static_cast<std::size_t>(std::ranges::count(plan.phases, true, &Phase::reboot_after));
  return summary;
}

std::string summary_text(const Plan& plan) {
  const auto summary = summarise(plan);
  auto counts = action_counts(summary);
  std::vector<std::string> parts{counts.empty() ? "nothing to do" : join(counts, ", ")};
  if (summary.blocked > 0) parts.push_back(fmt::format("{} blocked", summary.blocked));
  if (const auto unknown = findings_with(plan, Finding::Verdict::unknown).size(); unknown > 0)
    parts.push_back(fmt::format("{} unknown", counted(unknown, "field")));
  if (summary.reboots > 0) parts.push_back(counted(summary.reboots, "reboot"));
  if (!plan.steps.empty())
    parts.push_back(fmt::format("most disruption{}: {} (policy allows {})",
                                summary.reboots > 0 ? " beside the reboot" : "",
                                to_string(summary.disruption), to_string(plan.allowed)));
  return join(parts, "; ");
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string reason_text(const Plan& plan, std::size_t step) {
  const auto& planned = plan.steps[step];
  std::string why;
  switch (planned.step.reason) {
    case ActionReason::desired_changed:
      why = "the document asks for it";
      break;
    case ActionReason::drift:
      why = "gpuhost had set it, and it was changed by another hand since";
      break;
    case ActionReason::removed_from_desired:
      why = "the document no longer names it, so it is given back";
      break;
    case ActionReason::prerequisite:
      why = "prerequisite";
      if (planned.releases)
        why = fmt::format("undoes step {}", *planned.releases + 1);
      else if (const auto users = dependants(plan, step); !users.empty())
        why += " of " + users;
      else if (!planned.after.empty())
        why = "completes " + numbered(planned.after);
      break;
  }
  if (!planned.step.explanation.empty()) why += "; " + escape_for_terminal(planned.step.explanation);
  return why;
}

std::string disruption_text(const Step& step) {
  std::vector<std::string> hit;
  for (const auto& affected : step.affects)
    hit.push_back(fmt::format("{} {}{}", affected.type, escape_for_terminal(affected.name),
                              affected.pid ? fmt::format(" (pid {})", *affected.pid) : ""));
  if (step.disruption == Disruption::none && hit.empty()) return {};
  return fmt::format("{}{}{}", to_string(step.disruption), hit.empty() ? "" : ": ", join(hit, ", "));
}

std::string condition_text(const Condition& condition) {
  return fmt::format("{}: {}: {}", to_string(condition.type), escape_for_terminal(condition.address),
                     escape_for_terminal(condition.message));
}

std::string host_text(const HostIdentity& host) {
  return fmt::format("{} (kernel {})",
                     host.name.empty() ? "without a readable name" : escape_for_terminal(host.name),
                     host.kernel.empty() ? "unknown" : escape_for_terminal(host.kernel));
}

std::vector<const Finding*> findings_with(const Plan& plan, Finding::Verdict verdict) {
  std::vector<const Finding*> found;
  for (const auto& finding : plan.findings)
    if (finding.verdict == verdict) found.push_back(&finding);
  return found;
}

}  // namespace gpuhost
