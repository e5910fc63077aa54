#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"
#include "render/value_text.hpp"

namespace gpuhost {

namespace {

/// Text as text: nothing in it starts a table cell, a tag, a link or emphasis.
std::string prose(std::string_view text) {
  std::string safe;
  for (const char c : escape_for_terminal(text)) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '|':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '\\':
        safe += '\\';
        [[fallthrough]];
      default:
        safe += c;
    }
  }
  return safe;
}

/// Text as code. A code span cannot hold backticks, nor a table cell bars; those fall back to prose.
std::string code(std::string_view text) {
  const auto escaped = escape_for_terminal(text);
  if (escaped.empty() || escaped.find_first_of("`|") != std::string::npos) return prose(escaped);
  return fmt::format("`{}`", escaped);
}

std::string change_cell(const Step& step) {
  std::vector<std::string> parts;
  for (const auto& field : changed_fields(step.before, step.after))
    parts.push_back(field.label.empty() ? code(field.text)
                                        : fmt::format("{}: {}", prose(field.label), code(field.text)));
  return join(parts, "<br>");
}

std::string remarks_cell(const Plan& plan, std::size_t index) {
  const auto& planned = plan.steps[index];
  const auto& step = planned.step;
  std::vector<std::string> parts{prose(reason_text(plan, index))};
  if (!planned.after.empty()) {
    std::vector<std::string> numbers;
    for (const auto before : planned.after) numbers.push_back(std::to_string(before + 1));
    parts.push_back(fmt::format("after {} {}", numbers.size() == 1 ? "step" : "steps", join(numbers, ", ")));
  }
  if (step.foreign) parts.emplace_back("gpuhost did not make it");
  if (step.provisional) parts.emplace_back("provisional: planned anew when the steps before it are done");
  if (step.reversible == Reversible::none) parts.emplace_back("cannot be undone");
  for (const auto& reason : step.blocked_by) parts.push_back("**blocked:** " + prose(reason));
  return join(parts, "<br>");
}

std::string phase_table(const Plan& plan, std::size_t number) {
  const auto& phase = plan.phases[number];
  std::string text;
  if (plan.phases.size() > 1)
    text += fmt::format("#### Phase {}: {}\n\n", number + 1, number == 0 ? "now" : "after the reboot");
  text += "| # | change | from and to | disturbs | why and when |\n|---|---|---|---|---|\n";
  for (const auto index : phase.steps) {
    const auto& step = plan.steps[index].step;
    const auto disturbed = disruption_text(step);
    text += fmt::format("| {} | {}<br>{} | {} | {} | {} |\n", index + 1, prose(step.title),
                        code(step.action.address), change_cell(step),
                        disturbed.empty() ? "nobody" : prose(disturbed), remarks_cell(plan, index));
  }
  if (phase.reboot_after) text += "\n**Reboot here.**\n";
  return text + "\n";
}

template <class Items, class Write>
std::string section(std::string_view title, const Items& items, Write write) {
  if (items.empty()) return {};
  std::string text = fmt::format("#### {}\n\n", title);
  for (const auto& item : items) text += fmt::format("- {}\n", write(item));
  return text + "\n";
}

}  // namespace

std::string plan_markdown(const Plan& plan) {
  std::string text =
      fmt::format("### gpuhost plan: {} on {}\n\n", prose(plan.document), prose(host_text(plan.host)));
  text += fmt::format("**{}{}.**\n\n", plan.applyable() ? "" : "Not applyable: ", prose(summary_text(plan)));
  for (std::size_t i = 0; i < plan.phases.size(); ++i) text += phase_table(plan, i);
  text += section("Drift", plan.drift, [](const Drift& item) {
    return fmt::format("{}: was set to {}, is {}", code(item.address), code(value_text(item.applied)),
                       code(observed_text(item.observed)));
  });
  text += section("Waiting for a reboot", findings_with(plan, Finding::Verdict::pending_reboot),
                  [](const Finding* finding) {
                    return fmt::format("{}: {}, desired {}", code(finding->address),
                                       code(observed_text(finding->observed)),
                                       code(value_text(finding->desired)));
                  });
  text += section("Unknown", findings_with(plan, Finding::Verdict::unknown), [](const Finding* finding) {
    return fmt::format("{}: {}", code(finding->address), prose(finding->reason));
  });
  text += section("So it stays", plan.conditions,
                  [](const Condition& one) { return prose(condition_text(one)); });
  text += section("Notes", plan.notes, [](const Note& note) {
    return fmt::format("{}{}{}{}", note.address.empty() ? "" : code(note.address) + ": ", prose(note.message),
                       note.advice.empty() ? "" : "; ", prose(note.advice));
  });
  if (!plan.unmanaged.empty())
    text += fmt::format("{} left as they are, since the document does not name them.\n",
                        counted(plan.unmanaged.size(), "object"));
  return text;
}

}  // namespace gpuhost
