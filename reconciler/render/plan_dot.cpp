#include <fmt/format.h>

#include "base/text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"

namespace gpuhost {

namespace {

std::string in_quotes(std::string_view text) {
  std::string safe;
  for (const char c : escape_for_terminal(text)) {
    if (c == '"' || c == '\\') safe += '\\';
    safe += c;
  }
  return fmt::format("\"{}\"", safe);
}

std::string attributes(const PlannedStep& planned, std::size_t index) {
  const auto& step = planned.step;
  std::string label = fmt::format("{}. {}", index + 1, step.title);
  if (step.disruption != Disruption::none) label += fmt::format(" [{}]", to_string(step.disruption));
  std::string more;
  if (step.provisional) more += ", style=dashed";
  if (!step.blocked_by.empty()) more += ", color=red";
  return fmt::format("[label={}{}]", in_quotes(label), more);
}

std::string phase_dot(const Plan& plan, std::size_t number) {
  std::string dot =
      fmt::format("  subgraph cluster_{} {{\n    label=\"phase {}\";\n", number + 1, number + 1);
  for (const auto index : plan.phases[number].steps)
    dot += fmt::format("    {} {};\n", in_quotes(plan.steps[index].id), attributes(plan.steps[index], index));
  return dot + "  }\n";
}

/// A reboot lies between every step of its phase and every step of the next.
std::string barrier_dot(const Plan& plan, std::size_t number) {
  const auto barrier = fmt::format("reboot_{}", number + 1);
  std::string dot = fmt::format("  {} [label=\"reboot\", shape=octagon];\n", barrier);
  for (const auto index : plan.phases[number].steps)
    dot += fmt::format("  {} -> {};\n", in_quotes(plan.steps[index].id), barrier);
  if (number + 1 == plan.phases.size()) return dot;
  for (const auto index : plan.phases[number + 1].steps)
    dot += fmt::format("  {} -> {};\n", barrier, in_quotes(plan.steps[index].id));
  return dot;
}

}  // namespace

std::string plan_dot(const Plan& plan) {
  std::string dot = "digraph plan {\n  rankdir=TB;\n  node [shape=box];\n";
  dot += fmt::format("  label={};\n", in_quotes(fmt::format("{}: {}", plan.document, summary_text(plan))));
  for (std::size_t i = 0; i < plan.phases.size(); ++i) dot += phase_dot(plan, i);
  for (const auto& planned : plan.steps)
    for (const auto before : planned.after)
      if (plan.steps[before].phase == planned.phase)
        dot += fmt::format("  {} -> {};\n", in_quotes(plan.steps[before].id), in_quotes(planned.id));
  for (std::size_t i = 0; i < plan.phases.size(); ++i)
    if (plan.phases[i].reboot_after) dot += barrier_dot(plan, i);
  return dot + "}\n";
}

}  // namespace gpuhost
