#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"
#include "render/value_text.hpp"

namespace gpuhost {

namespace {

constexpr std::array<std::string_view, 4> making{"create", "load", "start", "enable"};
constexpr std::array<std::string_view, 4> ending{"delete", "unload", "stop", "disable"};

/// Writes the text of one plan, section by section.
class PlanText {
 public:
  PlanText(const Plan& plan, const Style& style) : plan_(plan), style_(style) {}

  [[nodiscard]] std::string write() {
    line(fmt::format("Host {}, document {}", host_text(plan_.host), escape_for_terminal(plan_.document)));
    if (plan_.steps.empty())
      no_steps();
    else
      phases();
    drift();
    pending();
    unknown();
    conditions();
    notes();
    unmanaged();
    last_line();
    return std::move(text_);
  }

 private:
  struct Row {
    std::string label;
    std::string text;
    bool alarming = false;
  };

  void line(std::string_view content) { text_.append(content).append("\n"); }
  void heading(std::string_view title) {
    text_ += "\n";
    line(style_.bold(title));
  }

  void no_steps() {
    text_ += "\n";
    if (!plan_.applyable())
      line("No steps: what is in the way is listed below.");
    else if (plan_.reboot_required())
      line("No changes to make now; what is staged becomes true with the next boot.");
    else if (!plan_.complete)
      line("No changes, as far as the host can be read.");
    else
      line("No changes. The host is as the document says.");
  }

  void phases() {
    for (std::size_t i = 0; i < plan_.phases.size(); ++i) {
      heading(phase_title(i));
      for (const auto index : plan_.phases[i].steps) step(index);
      if (plan_.phases[i].reboot_after) barrier();
    }
  }

  [[nodiscard]] std::string phase_title(std::size_t phase) const {
    if (plan_.phases.size() == 1) return "Steps, in order:";
    return fmt::format("Phase {} of {}, {}:", phase + 1, plan_.phases.size(),
                       phase == 0 ? "now" : "after the reboot");
  }

  void barrier() {
    text_ += "\n";
    line(style_.yellow("  ---- reboot: everything that runs on this host stops, its VMs included ----"));
    line(plan_.allowed >= Disruption::reboot ? "  With apply --reboot the host restarts here. Without it, "
                                               "apply ends here with exit code 3, which is no"
                                             : "  The policy does not let gpuhost restart the host: apply "
                                               "ends here with exit code 3, which is no");
    line(
        "  failure: what is staged holds from the next boot on, whoever causes it. Apply again after it to "
        "finish.");
    line("  What is as desired now and does not outlive a boot is put back after it.");
  }

  [[nodiscard]] std::string sign(const Step& step) const {
    if (step.check_only) return "?";
    const auto all_of = [&](const auto& words) {
      return !step.actions.empty() && std::ranges::all_of(step.actions, [&](const auto& action) {
        return std::ranges::find(words, action) != words.end();
      });
    };
    if (all_of(making)) return style_.green("+");
    if (all_of(ending)) return style_.red("-");
    return style_.yellow("~");
  }

  void step(std::size_t index) {
    const auto& planned = plan_.steps[index];
    const auto& step = planned.step;
    text_ += "\n";
    line(fmt::format("{:>4} {} {}{}", fmt::format("{}.", index + 1), sign(step),
                     style_.bold(escape_for_terminal(step.title)),
                     step.blocked_by.empty() ? "" : "  " + style_.red("BLOCKED")));
    line(fmt::format("       {}  {}", escape_for_terminal(step.action.address),
                     style_.dim(fmt::format("({})", escape_for_terminal(join(step.actions, ", "))))));
    rows(step_rows(index));
  }

  [[nodiscard]] std::vector<Row> step_rows(std::size_t index) const {
    const auto& planned = plan_.steps[index];
    const auto& step = planned.step;
    std::vector<Row> rows;
    for (auto& field : changed_fields(step.before, step.after))
      rows.push_back({field.label.empty() ? "value" : std::move(field.label), std::move(field.text)});
    rows.push_back({"why", reason_text(plan_, index)});
    if (!planned.after.empty()) rows.push_back({"order", "after " + numbered(planned.after)});
    if (auto disturbed = disruption_text(step); !disturbed.empty())
      rows.push_back({"disturbs", std::move(disturbed), true});
    if (step.reversible == Reversible::none) rows.push_back({"undo", "cannot be undone"});
    if (step.reversible == Reversible::best_effort) rows.push_back({"undo", "only as far as possible"});
    if (step.foreign) rows.push_back({"foreign", "gpuhost did not make it", true});
    if (step.provisional) rows.push_back({"provisional", provisional_text(step)});
    for (const auto& reason : step.blocked_by) rows.push_back({"blocked", escape_for_terminal(reason), true});
    return rows;
  }

  [[nodiscard]] static std::string provisional_text(const Step& step) {
    std::string text = "planned anew when the steps before it are done";
    if (!step.after_unknown.is_null()) text += "; known only then: " + value_text(step.after_unknown);
    return text;
  }

  void rows(const std::vector<Row>& rows) {
    std::size_t width = 0;
    for (const auto& row : rows) width = std::max(width, row.label.size());
    for (const auto& row : rows)
      line(fmt::format("       {:<{}} {}", row.label + ":", width + 1,
                       row.alarming ? style_.red(row.text) : row.text));
  }

  void drift() {
    if (plan_.drift.empty()) return;
    heading("Drift: set by an earlier run, and changed by another hand since:");
    for (const auto& item : plan_.drift)
      line(fmt::format("  {}: was set to {}, is {}", escape_for_terminal(item.address),
                       value_text(item.applied), observed_text(item.observed)));
  }

  void pending() {
    const auto findings = findings_with(plan_, Finding::Verdict::pending_reboot);
    if (findings.empty()) return;
    heading("Staged, and waiting for a reboot:");
    for (const auto* finding : findings)
      line(fmt::format("  {}: {}, desired {}", escape_for_terminal(finding->address),
                       observed_text(finding->observed), value_text(finding->desired)));
  }

  void unknown() {
    const auto findings = findings_with(plan_, Finding::Verdict::unknown);
    if (findings.empty()) return;
    heading("Unknown, and therefore left alone:");
    for (const auto* finding : findings)
      line(fmt::format("  {}: {}", escape_for_terminal(finding->address),
                       escape_for_terminal(finding->reason)));
  }

  void conditions() {
    if (plan_.conditions.empty()) return;
    heading("So it stays, also when all is done:");
    for (const auto& one : plan_.conditions) line("  " + condition_text(one));
  }

  void notes() {
    if (plan_.notes.empty()) return;
    heading("Notes:");
    for (const auto& note : plan_.notes) {
      const auto where = note.address.empty() ? "" : escape_for_terminal(note.address) + ": ";
      line(fmt::format("  {}{}{}", severity(note.severity), where, escape_for_terminal(note.message)));
      if (!note.advice.empty()) line(fmt::format("    {}", escape_for_terminal(note.advice)));
    }
  }

  [[nodiscard]] std::string severity(Note::Severity severity) const {
    switch (severity) {
      case Note::Severity::info:
        return {};
      case Note::Severity::warning:
        return style_.yellow("warning: ");
      case Note::Severity::error:
        return style_.red("error: ");
    }
    std::unreachable();
  }

  void unmanaged() {
    if (plan_.unmanaged.empty()) return;
    heading(fmt::format("Left as it is, since the document does not name it: {}{}",
                        counted(plan_.unmanaged.size(), "object"),
                        style_.verbose ? ":" : " (-v lists them)"));
    if (!style_.verbose) return;
    for (const auto& item : plan_.unmanaged)
      line(fmt::format("  {}{}{}", escape_for_terminal(item.address), item.note.empty() ? "" : ": ",
                       escape_for_terminal(item.note)));
  }

  void last_line() {
    text_ += "\n";
    if (!plan_.applyable())
      line(
          style_.red("Not applyable: no step will run, not even one that is not blocked, until what blocks "
                     "it is out of the way."));
    line(style_.bold(fmt::format("Plan: {}.", summary_text(plan_))));
  }

  const Plan& plan_;
  const Style& style_;
  std::string text_;
};

}  // namespace

std::string plan_text(const Plan& plan, const Style& style) {
  return PlanText(plan, style).write();
}

}  // namespace gpuhost
