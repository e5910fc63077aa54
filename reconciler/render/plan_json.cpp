#include <algorithm>

#include "base/sha256.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"

namespace gpuhost {

namespace {

constexpr int format_version = 1;

Json affected_json(const Affected& affected) {
  Json json{{"type", affected.type}, {"name", affected.name}};
  if (affected.pid) json["pid"] = *affected.pid;
  return json;
}

Json change_json(const Plan& plan, const PlannedStep& planned) {
  const auto& step = planned.step;
  Json required = Json::array();
  for (const auto before : planned.after) required.push_back(plan.steps[before].id);
  Json affects = Json::array();
  for (const auto& affected : step.affects) affects.push_back(affected_json(affected));
  Json json{{"id", planned.id},
            {"phase", planned.phase + 1},
            {"address", step.action.address},
            {"title", step.title},
            {"actions", step.actions},
            {"action_reason", to_string(step.reason)},
            {"before", step.before},
            {"after", step.after},
            {"requires", std::move(required)},
            {"disruption", to_string(step.disruption)},
            {"affects", std::move(affects)},
            {"reversible", to_string(step.reversible)},
            {"blocked_by", step.blocked_by},
            {"foreign", step.foreign},
            {"provisional", step.provisional}};
  if (!step.after_unknown.is_null()) json["after_unknown"] = step.after_unknown;
  if (!step.explanation.empty()) json["explanation"] = step.explanation;
  if (planned.releases) json["releases"] = plan.steps[*planned.releases].id;
  return json;
}

Json phases_json(const Plan& plan) {
  Json phases = Json::array();
  for (std::size_t i = 0; i < plan.phases.size(); ++i) {
    Json ids = Json::array();
    for (const auto step : plan.phases[i].steps) ids.push_back(plan.steps[step].id);
    phases.push_back({{"number", i + 1},
                      {"steps", std::move(ids)},
                      {"barrier", plan.phases[i].reboot_after ? Json("reboot") : Json()}});
  }
  return phases;
}

Json summary_json(const Plan& plan) {
  const auto summary = summarise(plan);
  Json json{{"create", 0}, {"update", 0}, {"delete", 0}};
  for (const auto& [word, count] : summary.actions) json[word] = count;
  json["blocked"] = summary.blocked;
  json["disruption"] = to_string(summary.disruption);
  json["allowed"] = to_string(plan.allowed);
  json["reboots"] = summary.reboots;
  json["phases"] = plan.phases.size();
  return json;
}

std::string_view severity_word(Note::Severity severity) {
  switch (severity) {
    case Note::Severity::info:
      return "info";
    case Note::Severity::warning:
      return "warning";
    case Note::Severity::error:
      return "error";
  }
  std::unreachable();
}

Json diagnostics_json(const Plan& plan) {
  Json diagnostics = Json::array();
  for (const auto& note : plan.notes) {
    Json json{
        {"severity", severity_word(note.severity)}, {"address", note.address}, {"message", note.message}};
    if (!note.advice.empty()) json["advice"] = note.advice;
    diagnostics.push_back(std::move(json));
  }
  for (const auto* finding : findings_with(plan, Finding::Verdict::unknown))
    diagnostics.push_back(
        {{"severity", "unknown"}, {"address", finding->address}, {"message", finding->reason}});
  return diagnostics;
}

}  // namespace

Json host_json(const HostIdentity& host) {
  return {{"id", host.machine_id}, {"name", host.name}, {"kernel", host.kernel}};
}

Json finding_json(const Finding& finding) {
  Json json{{"address", finding.address},
            {"verdict", to_string(finding.verdict)},
            {"desired", finding.desired},
            {"observed", finding.observed}};
  if (!finding.reason.empty()) json["reason"] = finding.reason;
  return json;
}

Json drift_json(const Plan& plan) {
  Json drift = Json::array();
  for (const auto& item : plan.drift)
    drift.push_back({{"address", item.address}, {"applied", item.applied}, {"observed", item.observed}});
  return drift;
}

Json conditions_json(const Plan& plan) {
  Json conditions = Json::array();
  for (const auto& one : plan.conditions)
    conditions.push_back({{"type", to_string(one.type)}, {"address", one.address}, {"message", one.message}});
  return conditions;
}

Json plan_json(const Plan& plan) {
  Json changes = Json::array();
  for (const auto& planned : plan.steps) changes.push_back(change_json(plan, planned));
  Json pending = Json::array();
  for (const auto* finding : findings_with(plan, Finding::Verdict::pending_reboot))
    pending.push_back(finding_json(*finding));
  Json unmanaged = Json::array();
  for (const auto& item : plan.unmanaged)
    unmanaged.push_back({{"address", item.address}, {"note", item.note}});
  Json json{{"format_version", format_version},
            {"applyable", plan.applyable()},
            {"complete", plan.complete},
            {"host", host_json(plan.host)},
            {"desired", {{"name", plan.document}, {"sha256", plan.document_sha256}}},
            {"observed", {{"fingerprint", plan.fingerprint()}}},
            {"summary", summary_json(plan)},
            {"phases", phases_json(plan)},
            {"changes", std::move(changes)},
            {"pending", std::move(pending)},
            {"drift", drift_json(plan)},
            {"unmanaged", std::move(unmanaged)},
            {"conditions", conditions_json(plan)},
            {"diagnostics", diagnostics_json(plan)}};
  json["plan_id"] = sha256(json_line(json));
  return json;
}

}  // namespace gpuhost
