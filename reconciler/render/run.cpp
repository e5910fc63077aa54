#include "render/run.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "render/plan_summary.hpp"

namespace gpuhost {

namespace {

std::string list_text(std::string_view title, const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string text = fmt::format("{}\n", title);
  for (const auto& item : items) text += fmt::format("  {}\n", escape_for_terminal(item));
  return text;
}

std::string converged(const RunReport& report, const Style& style) {
  const auto done = report.held.size();
  const auto begin =
      done == 0 ? std::string("Nothing to do") : fmt::format("Applied: {} done", counted(done, "step"));
  if (const auto unknown = findings_with(report.last, Finding::Verdict::unknown).size(); unknown > 0)
    return style.yellow(
        fmt::format("{}, as far as the host can be read: {} unknown.", begin, counted(unknown, "field")));
  return style.green(fmt::format("{}{} the host is as the document says.", begin, done == 0 ? ":" : ","));
}

std::string_view failed(const RunReport& report) {
  if (!report.changed) return "Failed; nothing was changed.";
  if (report.held.empty()) return "Failed in the middle of a step; nobody can tell what it has changed.";
  if (report.undone.empty())
    return "Failed, after changes that were not undone; what is listed as done holds.";
  return "Failed, and not all could be undone; what is listed as done holds and needs a person.";
}

std::string verdict(const RunReport& report, const Style& style) {
  const auto done = report.held.size();
  switch (report.result) {
    case RunReport::Result::converged:
      return converged(report, style);
    case RunReport::Result::degraded:
      return converged(report, style) + style.yellow(" Degraded: what is absent was left out.");
    case RunReport::Result::reboot_required:
      return style.yellow(done == 0 ? "Waiting for a reboot: what is staged becomes true with it."
                                    : fmt::format("Applied so far: {} done; a reboot is needed to finish.",
                                                  counted(done, "step")));
    case RunReport::Result::refused:
      return style.red("Refused: nothing was done.");
    case RunReport::Result::undone:
      return style.red(fmt::format("Failed; {} undone, the host is as it was before.",
                                   counted(report.undone.size(), "step")));
    case RunReport::Result::failed:
      return style.red(failed(report));
    case RunReport::Result::interrupted:
      return style.yellow(
          fmt::format("Interrupted at a safe point; {} done, nothing is half done.", counted(done, "step")));
  }
  std::unreachable();
}

}  // namespace

std::string run_text(const RunReport& report, const Style& style) {
  std::string text;
  if (report.result == RunReport::Result::failed || report.result == RunReport::Result::interrupted)
    text += list_text("Done:", report.held);
  text += list_text("Errors:", report.errors);
  if (report.result == RunReport::Result::reboot_required) {
    std::vector<std::string> reasons;
    const auto reboot = reboot_json(report.last);
    for (const auto& reason : reboot["reasons"]) reasons.push_back(reason.get<std::string>());
    text += list_text("Waiting for the reboot:", reasons);
  }
  text += style.bold(verdict(report, style)) + "\n";
  if (report.confirm_within)
    text += style.yellow(fmt::format("It is undone in {}, or at a reboot, unless 'gpuhost confirm' keeps it.",
                                     duration_text(*report.confirm_within))) +
            "\n";
  return text;
}

std::string recovery_text(const RecoverReport& report, const Style& style) {
  auto text = list_text("Done and not undone:", report.rolled.held) +
              list_text("Errors:", report.rolled.errors) + list_text("", report.errors);
  if (report.complete() && !report.run.rollback)
    return text +
           style.bold(style.green("Recovered: what the run had stopped runs again; what it has done "
                                  "holds, since it was told not to undo.")) +
           "\n";
  if (report.complete())
    return text +
           style.bold(style.green(
               fmt::format("Recovered: {} undone.", counted(report.rolled.undone.size(), "step")))) +
           "\n";
  const auto verdict = report.ended ? "Not all could be undone; what is listed holds and needs a person."
                                    : "Not all could be undone yet; run 'gpuhost recover' again later.";
  return text + style.bold(style.red(verdict)) + "\n";
}

Json recovery_json(const RecoverReport& report) {
  auto errors = report.rolled.errors;
  errors.insert(errors.end(), report.errors.begin(), report.errors.end());
  return {{"document", report.run.document}, {"started", report.run.started},
          {"complete", report.complete()},   {"ended", report.ended},
          {"undone", report.rolled.undone},  {"done", report.rolled.held},
          {"errors", std::move(errors)}};
}

Json reboot_json(const Plan& plan) {
  Json reasons = Json::array();
  for (const auto* finding : findings_with(plan, Finding::Verdict::pending_reboot))
    reasons.push_back(finding->address);
  return {{"required", plan.reboot_required()}, {"reasons", std::move(reasons)}};
}

Json error_json(const Error& error) {
  Json json{{"kind", to_string(error.kind)}, {"message", error.message}};
  if (!error.advice.empty()) json["advice"] = error.advice;
  return json;
}

}  // namespace gpuhost
