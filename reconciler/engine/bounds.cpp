#include "engine/bounds.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

namespace {

std::string name_of(const Affected& affected) {
  return affected.type + " " + affected.name;
}

}  // namespace

Bounds::Bounds(const Plan& approved) {
  for (const auto& planned : approved.steps) {
    const Step& step = planned.step;
    auto& limit = limits_[step.action.address];
    limit.actions.insert(step.actions.begin(), step.actions.end());
    limit.disruption = std::max(limit.disruption, step.disruption);
    for (const auto& affected : step.affects) limit.affected.insert(name_of(affected));
  }
  for (const auto& finding : approved.findings)
    if (finding.verdict == Finding::Verdict::in_sync) in_sync_.insert(finding.address);
}

std::vector<std::string> Bounds::exceeded_by(const Plan& plan, bool after_reboot) const {
  std::vector<std::string> reasons;
  for (const auto& planned : plan.steps)
    if (auto reason = excess(planned.step); !reason.empty() && !(after_reboot && puts_back(planned.step)))
      reasons.push_back(fmt::format("{}: {}", planned.step.title, reason));
  return reasons;
}

Json Bounds::to_json() const {
  Json limits = Json::object();
  for (const auto& [address, limit] : limits_)
    limits[address] = {{"actions", limit.actions},
                       {"disruption", to_string(limit.disruption)},
                       {"affected", limit.affected}};
  return {{"limits", std::move(limits)}, {"in_sync", in_sync_}};
}

Bounds Bounds::from(const Json& json) {
  Bounds bounds;
  for (const auto& [address, limit] : json.at("limits").items())
    // A level that this version does not know allows nothing.
    bounds.limits_[address] = {
        .actions = limit.at("actions"),
        .disruption = parse_disruption(limit.at("disruption").get<std::string>()).value_or(Disruption::none),
        .affected = limit.at("affected")};
  bounds.in_sync_ = json.at("in_sync").get<std::set<std::string>>();
  return bounds;
}

bool Bounds::puts_back(const Step& step) const {
  const bool serves = step.reason == ActionReason::prerequisite;
  const bool ends_a_process =
      std::ranges::any_of(step.affects, [](const Affected& affected) { return affected.type == "process"; });
  return (in_sync_.contains(step.action.address) || serves) && step.disruption <= Disruption::stop_units &&
         !ends_a_process;
}

std::string Bounds::excess(const Step& step) const {
  const auto limit = limits_.find(step.action.address);
  if (limit == limits_.end()) return fmt::format("the approved plan has no step for {}", step.action.address);
  for (const auto& action : step.actions)
    if (!limit->second.actions.contains(action))
      return fmt::format("the approved plan has no '{}' of {}", action, step.action.address);
  if (step.disruption > limit->second.disruption)
    return fmt::format("it needs disruption {}, the approved plan showed {}", to_string(step.disruption),
                       to_string(limit->second.disruption));
  for (const auto& affected : step.affects)
    if (!limit->second.affected.contains(name_of(affected)))
      return fmt::format("it affects {}, which the approved plan did not show", name_of(affected));
  return {};
}

bool same_plan(const Plan& a, const Plan& b) {
  return a.document_sha256 == b.document_sha256 && a.host.machine_id == b.host.machine_id &&
         a.fingerprint() == b.fingerprint() &&
         std::ranges::equal(a.steps, b.steps, [](const PlannedStep& left, const PlannedStep& right) {
           return left.step.action == right.step.action && left.after == right.after &&
                  left.phase == right.phase;
         });
}

}  // namespace gpuhost
