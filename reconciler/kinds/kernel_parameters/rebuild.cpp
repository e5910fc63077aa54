#include "kinds/kernel_parameters/rebuild.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

bool has(const Occurrences& values, const std::optional<std::string>& value) {
  return std::ranges::find(values, value) != values.end();
}

/// What the entries hold beside the managed keys and would not hold any more when they are made anew.
std::vector<std::string> words_lost(const BootSetup& boot, const EntryChanges& changes) {
  std::vector<std::string> lost;
  if (!boot.entries_from_line || !boot.configuration || boot.configuration->lines.empty()) return lost;
  const auto& line = boot.configuration->lines.front();
  for (const auto& entry : *boot.entries)
    for (const auto& argument : parse_kernel_arguments(entry.command_line.text())) {
      const auto key = underscored(argument.key);
      if (added_by_loader(argument.key) || changes.contains(key)) continue;
      if (has(line.of(key), argument.value)) continue;
      auto word = kernel_word(argument.key, argument.value);
      if (std::ranges::find(lost, word) == lost.end()) lost.push_back(std::move(word));
    }
  return lost;
}

}  // namespace

Step rebuild_step(const KernelParametersState& state, const EntryChanges& changes,
                  const std::vector<Fact>& staged) {
  const auto& boot = *state.boot;
  std::vector<std::string> commands;
  for (const auto& command : boot.rebuild) commands.push_back("'" + join(command.argv, " ") + "'");
  Step step;
  Json next = Json::object();
  Json before = Json::object();
  for (const auto& [key, values] : changes) {
    next[key] = json_of(values);
    before[key] = json_of(boot.entries->front().command_line.of(key));
    if (!state.runs_with(key, values))
      std::ranges::move(facts_of(key, values), std::back_inserter(step.provides_at_boot));
  }
  step.action = {std::string(KernelParameters::kind_name),
                 KernelParameters::rebuild_verb,
                 "kernel.boot_loader",
                 {{"next_boot", next}}};
  step.actions = {"update"};
  step.title = fmt::format("rebuild the boot entries with {}", join(commands, " and "));
  step.progress = "rebuilding the boot entries";
  step.before = {{"next_boot", before}};
  step.after = {{"next_boot", next}};
  step.explanation = "kernel parameters reach the kernel through the boot entries of " + boot.loader;
  step.needs = staged;
  step.lanes = {KernelParameters::lane};
  step.derived = true;
  step.reason = ActionReason::prerequisite;
  if (!boot.rebuild_blocked.empty()) step.blocked_by.push_back(boot.rebuild_blocked);
  if (const auto lost = words_lost(boot, changes); !lost.empty())
    step.blocked_by.push_back(fmt::format(
        "it would make the entries without {}, which the configuration of {} lacks: add it there, or "
        "make the entries anew by hand",
        join(lost, " "), boot.loader));
  return step;
}

}  // namespace gpuhost
