#include <algorithm>

#include <fmt/format.h>

#include "kinds/kernel_parameters/kind.hpp"

namespace gpuhost {

namespace {

/// The key as the configuration has it. Nothing: command lines that disagree cannot all be given back by one
/// step, nor can what another hand has written into our own file.
std::optional<StepAction> configured(const StepAction& change, const BootConfiguration& boot) {
  const auto key = change.arguments.value("key", std::string{});
  StepAction back = change;
  const auto becomes = [&](const char* verb, const Occurrences& values) {
    back.verb = verb;
    back.arguments = {{"key", key}, {"values", json_of(values)}};
    return back;
  };
  if (boot.drop_in) {
    if (!boot.drop_in->intact()) return std::nullopt;
    const auto* entry = boot.drop_in->find(key);
    return entry != nullptr ? becomes(KernelParameters::stage_verb, entry->values)
                            : becomes(KernelParameters::release_verb, {});
  }
  if (boot.lines.empty()) return std::nullopt;
  const auto values = boot.lines.front().of(key);
  if (!std::ranges::all_of(boot.lines, [&](const CommandLine& line) { return line.of(key) == values; }))
    return std::nullopt;
  return becomes(KernelParameters::release_verb, values);
}

/// The same command, after which the entries have what they have now.
StepAction rebuilt(const StepAction& rebuild, const BootSetup& boot) {
  Json values = Json::object();
  for (const auto& [key, wanted] : rebuild.arguments.at("next_boot").items()) {
    if (boot.entries->empty()) continue;
    const auto now = boot.entries->front().command_line.of(key);
    if (entries_agree(boot, key, now)) values[key] = json_of(now);
  }
  StepAction back = rebuild;
  back.arguments["next_boot"] = std::move(values);
  return back;
}

}  // namespace

Result<std::optional<Undo>> KernelParameters::undo_of(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return Undo{action};
  const auto loader = find_boot_loader(host);
  if (!loader) return fail(ErrorKind::not_found, "no boot loader that gpuhost knows is here");
  const auto boot = loader->look(host);
  if (action.verb == rebuild_verb) {
    if (!boot.entries) return std::unexpected(boot.entries.error());
    return Undo{rebuilt(action, boot)};
  }
  if (action.verb == try_verb || action.verb == set_trial_verb) {
    if (!boot.trial) return std::unexpected(boot.trial.error());
    return Undo{
        {action.kind,
         set_trial_verb,
         action.address,
         {{"text", boot.trial->kept.text}, {"to_come", boot.trial->state == BootTrial::State::to_come}}}};
  }
  if (!boot.configuration) return std::unexpected(boot.configuration.error());
  if (auto back = configured(action, *boot.configuration)) return Undo{*std::move(back)};
  return std::nullopt;
}

}  // namespace gpuhost
