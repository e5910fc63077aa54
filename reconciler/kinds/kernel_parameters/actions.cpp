#include <fmt/format.h>

#include "kinds/kernel_parameters/kind.hpp"

namespace gpuhost {

namespace {

ParameterChange change_of(const StepAction& action) {
  return {action.arguments.value("key", std::string{}),
          occurrences_from(action.arguments.value("values", Json())),
          action.verb == KernelParameters::release_verb};
}

Result<std::unique_ptr<BootLoader>> loader_of(const HostView& host) {
  auto loader = find_boot_loader(host);
  if (!loader) return fail(ErrorKind::not_found, "no boot loader that gpuhost knows is here");
  return loader;
}

Result<bool> trial_is(const StepAction& action, const BootSetup& boot) {
  if (!boot.trial) return std::unexpected(boot.trial.error());
  const bool to_come = boot.trial->state == BootTrial::State::to_come;
  if (action.verb == KernelParameters::try_verb) return to_come;
  const auto text = action.arguments.value("text", std::string{});
  return boot.trial->kept.text == text && (text.empty() || to_come == action.arguments.at("to_come"));
}

Result<void> try_once(const BootLoader& loader, Host& host) {
  const auto trial = loader.look(host.view).trial;
  if (!trial) return std::unexpected(trial.error());
  if (!trial->to_keep) return std::unexpected(trial->to_keep.error());
  return loader.set_trial(trial->to_keep->text, true, host);
}

}  // namespace

Result<bool> KernelParameters::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto loader = loader_of(host);
  if (!loader) return std::unexpected(loader.error());
  const auto boot = (*loader)->look(host);
  if (!boot.entries) return std::unexpected(boot.entries.error());
  if (action.verb == try_verb || action.verb == set_trial_verb) return trial_is(action, boot);
  if (action.verb == rebuild_verb) {
    for (const auto& [key, values] : action.arguments.at("next_boot").items())
      if (!entries_agree(boot, key, occurrences_from(values))) return false;
    return true;
  }
  if (!boot.configuration) return std::unexpected(boot.configuration.error());
  return is_staged(boot, change_of(action));
}

Result<void> KernelParameters::run(const StepAction& action, Host& host) const {
  const auto loader = loader_of(host.view);
  if (!loader) return std::unexpected(loader.error());
  if (action.verb == rebuild_verb) return (*loader)->rebuild(host);
  if (action.verb == try_verb) return try_once(**loader, host);
  if (action.verb == set_trial_verb)
    return (*loader)->set_trial(action.arguments.value("text", std::string{}),
                                action.arguments.value("to_come", false), host);
  if (action.verb == stage_verb || action.verb == release_verb) {
    const auto change = change_of(action);
    if (auto safe = check_words(change.key, change.values); !safe) return safe;
    return (*loader)->stage(change, host);
  }
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

}  // namespace gpuhost
