#include "render/verify.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"
#include "render/value_text.hpp"

namespace gpuhost {

namespace {

std::string finding_text(const Finding& finding, const Style& style) {
  const auto address = escape_for_terminal(finding.address);
  const auto remark = finding.reason.empty() ? "" : fmt::format(" ({})", escape_for_terminal(finding.reason));
  switch (finding.verdict) {
    case Finding::Verdict::in_sync:
      return fmt::format("  {}  {}: {}{}", style.green("in sync "), address, observed_text(finding.observed),
                         remark);
    case Finding::Verdict::differs:
      return fmt::format("  {}  {}: is {}, desired {}{}", style.red("differs "), address,
                         observed_text(finding.observed), value_text(finding.desired), remark);
    case Finding::Verdict::pending_reboot:
      return fmt::format("  {}  {}: {}, desired {}; waits for a reboot{}", style.yellow("pending "), address,
                         observed_text(finding.observed), value_text(finding.desired), remark);
    case Finding::Verdict::unknown:
      return fmt::format("  {}  {}{}{}", style.yellow("unknown "), address,
                         finding.desired.is_null() ? "" : ": desired " + value_text(finding.desired), remark);
  }
  std::unreachable();
}

std::string verdict_text(const FindingCounts& counts, std::size_t total) {
  if (total == 0) return "Nothing to verify: the document manages nothing on this host.";
  if (counts.in_sync == total) return fmt::format("In sync: {}.", counted(total, "field"));
  std::string text = fmt::format("Not in sync: {} of {} in sync", counts.in_sync, counted(total, "field"));
  if (counts.differs > 0)
    text += fmt::format(", {} differ{}", counts.differs, counts.differs == 1 ? "s" : "");
  if (counts.pending_reboot > 0) text += fmt::format(", {} waiting for a reboot", counts.pending_reboot);
  if (counts.unknown > 0) text += fmt::format(", {} unknown", counts.unknown);
  return text + ".";
}

}  // namespace

FindingCounts count_findings(const Plan& plan) {
  FindingCounts counts;
  for (const auto& finding : plan.findings) {
    switch (finding.verdict) {
      case Finding::Verdict::in_sync:
        ++counts.in_sync;
        break;
      case Finding::Verdict::differs:
        ++counts.differs;
        break;
      case Finding::Verdict::pending_reboot:
        ++counts.pending_reboot;
        break;
      case Finding::Verdict::unknown:
        ++counts.unknown;
        if (finding.permission) ++counts.denied;
        break;
    }
  }
  return counts;
}

Json verify_json(const Plan& plan) {
  const auto counts = count_findings(plan);
  Json findings = Json::array();
  for (const auto& finding : plan.findings) findings.push_back(finding_json(finding));
  return {{"format_version", 1},
          {"host", host_json(plan.host)},
          {"desired", {{"name", plan.document}, {"sha256", plan.document_sha256}}},
          {"in_sync", counts.in_sync == plan.findings.size()},
          {"summary",
           {{"in_sync", counts.in_sync},
            {"differs", counts.differs},
            {"pending_reboot", counts.pending_reboot},
            {"unknown", counts.unknown}}},
          {"findings", std::move(findings)},
          {"conditions", conditions_json(plan)},
          {"drift", drift_json(plan)}};
}

std::string verify_text(const Plan& plan, const Style& style) {
  std::string text =
      fmt::format("Host {}, document {}\n\n", host_text(plan.host), escape_for_terminal(plan.document));
  for (const auto& finding : plan.findings) text += finding_text(finding, style) + "\n";
  if (!plan.drift.empty())
    text += "\n" + style.bold("Drift: set by an earlier run, and changed by another hand since:") + "\n";
  for (const auto& item : plan.drift)
    text += fmt::format("  {}: was set to {}, is {}\n", escape_for_terminal(item.address),
                        value_text(item.applied), observed_text(item.observed));
  if (!plan.conditions.empty()) text += "\n";
  for (const auto& one : plan.conditions) text += condition_text(one) + "\n";
  if (!plan.findings.empty()) text += "\n";
  return text + style.bold(verdict_text(count_findings(plan), plan.findings.size())) + "\n";
}

}  // namespace gpuhost
