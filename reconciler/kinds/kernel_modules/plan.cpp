#include <algorithm>
#include <ranges>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_modules/driver_registry.hpp"
#include "kinds/kernel_modules/kind.hpp"
#include "kinds/kernel_modules/obstacles.hpp"
#include "kinds/kernel_modules/steps.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

using Spec = KernelModuleSpec;
using State = KernelModuleSpec::State;

const char* word_of(State state) {
  switch (state) {
    case State::loaded:
      return "loaded";
    case State::unloaded:
      return "unloaded";
    case State::blocked:
      return "blocked";
    case State::as_is:
      return "as it is";
  }
  std::unreachable();
}

std::string in_use(const std::string& module, const LoadedModule& loaded) {
  const auto users = loaded.users.empty() ? "" : " by " + join(loaded.users, ", ");
  return fmt::format("module {} is in use{} (use count {}): stop what uses it", module, users,
                     loaded.use_count);
}

/// Goes through the modules and gathers what a proposal needs.
class Comparison {
 public:
  Comparison(const KernelModulesState& state, const PlanInput& input, const std::vector<Spec>& spec)
      : state_(state), input_(input), unloadable_(find_unloadable(spec)) {}

  void desired(const Spec& spec);
  void no_longer_desired(const std::string& address, const Ownership::Object& object);
  Proposal finish() &&;

 private:
  [[nodiscard]] const std::vector<PciAddress>& devices_of(const std::string& module) const;
  [[nodiscard]] std::set<std::string> find_unloadable(const std::vector<Spec>& spec) const;
  [[nodiscard]] std::optional<Error> unreadable() const;
  [[nodiscard]] const char* running_state(const std::string& module) const;
  [[nodiscard]] Json running(const Spec& spec) const;
  [[nodiscard]] Json next_boot(const Spec& spec) const;
  [[nodiscard]] bool configured(const Spec& spec) const;
  [[nodiscard]] bool runs_with_options(const Spec& spec, Finding& finding) const;

  void compare(const Spec& spec, Finding& finding);
  bool plan_files(const Spec& spec, const Finding& finding);
  bool plan_runtime(const Spec& spec, const Finding& finding, bool configures);
  void note_command_line(const Spec& spec);
  void at_boot(const Fact& fact, bool configures);
  void add(Step step) { proposal_.steps.push_back(std::move(step)); }
  [[nodiscard]] Claim claim_of(const Spec& spec, const Finding& finding) const;
  [[nodiscard]] bool may_unload() const { return input_.policy.disruption >= Disruption::remove_idle; }

  const KernelModulesState& state_;
  const PlanInput& input_;
  std::set<std::string> unloadable_;
  Proposal proposal_;
  std::vector<Fact> configured_now_;
  std::vector<Fact> at_boot_;
  std::vector<Fact> unloads_;  // of modules that are given back
};

/// PCI functions that the module's driver has: unloading takes them from it, the console among them.
const std::vector<PciAddress>& Comparison::devices_of(const std::string& module) const {
  static const std::vector<PciAddress> none;
  if (!state_.running->bound) return none;  // unreadable() says so
  const auto found = state_.running->bound->find(module);
  return found == state_.running->bound->end() ? none : found->second;
}

/// Modules to be unloaded that drive nothing and that nobody uses but modules that are to be unloaded too.
std::set<std::string> Comparison::find_unloadable(const std::vector<Spec>& spec) const {
  std::set<std::string> found;
  for (const auto& module : spec)
    if (module.state != State::loaded && module.state != State::as_is && state_.loaded(module.name))
      found.insert(module.name);
  const auto held = [&](const std::string& name) {
    const auto* loaded = state_.loaded(name);
    return !devices_of(name).empty() || loaded->use_count > loaded->users.size() ||
           !std::ranges::all_of(loaded->users, [&](const auto& user) { return found.contains(user); });
  };
  while (std::erase_if(found, held) > 0) {
  }
  return found;
}

std::optional<Error> Comparison::unreadable() const {
  if (!state_.modprobe) return state_.modprobe.error();
  if (!state_.at_boot) return state_.at_boot.error();
  if (!state_.own_modprobe) return state_.own_modprobe.error();
  if (!state_.own_boot_list) return state_.own_boot_list.error();
  if (state_.running && !state_.running->bound) return state_.running->bound.error();
  if (!state_.running || state_.running->loaded) return std::nullopt;
  const auto& error = state_.running->loaded.error();
  // A kernel without modules has none loaded; files for later kernels still count.
  return error.kind == ErrorKind::unsupported ? std::nullopt : std::optional(error);
}

const char* Comparison::running_state(const std::string& module) const {
  if (state_.built_in(module)) return "built in";
  return state_.loaded(module) ? "loaded" : "unloaded";
}

Json Comparison::running(const Spec& spec) const {
  Json shown{{"state", running_state(spec.name)}};
  const auto parameters = state_.running->parameters.find(spec.name);
  if (parameters == state_.running->parameters.end()) return shown;
  for (const auto& [name, value] : parameters->second)
    if (value) shown["options"][name] = *value;
  return shown;
}

Json Comparison::next_boot(const Spec& spec) const {
  Json shown{{"state", state_.modprobe->blocks(spec.name)    ? "blocked"
                       : state_.at_boot->contains(spec.name) ? "loaded"
                                                             : "unloaded"}};
  if (state_.built_in(spec.name)) shown["state"] = "built in";
  if (spec.options.empty()) return shown;
  shown["options"] = Json::object();
  const auto configured = state_.modprobe->options.find(spec.name);
  for (const auto& [name, value] : spec.options) {
    shown["options"][name] = nullptr;
    if (configured == state_.modprobe->options.end()) continue;
    if (const auto found = configured->second.find(name); found != configured->second.end())
      shown["options"][name] = found->second;
  }
  return shown;
}

/// modprobe.d says of the module what the document says, and gpuhost's file says no more than that.
bool Comparison::configured(const Spec& spec) const {
  const auto own = state_.own_modprobe->of(spec.name);
  if (spec.state == State::blocked ? !state_.modprobe->blocks(spec.name) : own.blocked) return false;
  const auto named = [&](const auto& option) { return spec.options.contains(option.first); };
  if (!std::ranges::all_of(own.options, named)) return false;
  const auto all = state_.modprobe->options.find(spec.name);
  return std::ranges::all_of(spec.options, [&](const auto& option) {
    if (all == state_.modprobe->options.end()) return false;
    const auto found = all->second.find(option.first);
    return found != all->second.end() && same_parameter_value(found->second, option.second);
  });
}

/// False when the loaded module shows another value. A value that cannot be read makes the finding unknown.
bool Comparison::runs_with_options(const Spec& spec, Finding& finding) const {
  if (!state_.running || (!state_.loaded(spec.name) && !state_.built_in(spec.name))) return true;
  const auto shown = state_.running->parameters.find(spec.name);
  if (shown == state_.running->parameters.end()) return true;
  bool same = true;
  for (const auto& [name, value] : shown->second) {
    if (value) {
      same = same && same_parameter_value(*value, spec.options.at(name));
    } else if (value.error().kind != ErrorKind::not_found) {
      finding.verdict = Finding::Verdict::unknown;
      finding.reason = value.error().message;
      finding.permission = lacks_permission(value.error());
    }
  }
  return same;
}

Claim Comparison::claim_of(const Spec& spec, const Finding& finding) const {
  Json applied = Json::object();
  if (spec.state != State::as_is) applied["state"] = word_of(spec.state);
  if (!spec.options.empty()) applied["options"] = spec.options;
  return {finding.address, finding.observed, std::move(applied)};
}

void Comparison::desired(const Spec& spec) {
  Finding finding{.address = module_address(spec.name), .desired = Json::object()};
  if (spec.state != State::as_is) finding.desired["state"] = word_of(spec.state);
  if (!spec.options.empty()) finding.desired["options"] = spec.options;
  if (spec.name == registry_module && !state_.registry_unknown.empty()) {
    finding.verdict = Finding::Verdict::unknown;
    finding.reason = state_.registry_unknown;
  } else if (const auto error = unreadable()) {
    finding.verdict = Finding::Verdict::unknown;
    finding.reason = error->message;
    finding.permission = lacks_permission(*error);
  } else {
    finding.observed["next_boot"] = next_boot(spec);
    if (state_.running) finding.observed["running"] = running(spec);
    const auto steps_of_others = proposal_.steps.size();
    compare(spec, finding);
    if (spec.implied)
      for (auto& step : proposal_.steps | std::views::drop(steps_of_others))
        step.reason = ActionReason::prerequisite;
  }
  proposal_.findings.push_back(std::move(finding));
}

void Comparison::compare(const Spec& spec, Finding& finding) {
  note_command_line(spec);
  const bool options_run = runs_with_options(spec, finding);
  const bool differs_next = plan_files(spec, finding);
  const bool configures = !configured(spec);
  if (!options_run) at_boot({"module/" + spec.name, "loaded with its options"}, configures);
  const bool waits = plan_runtime(spec, finding, configures) || !options_run;
  const bool steps =
      differs_next || (!proposal_.steps.empty() && proposal_.steps.back().action.address == finding.address);
  if (steps)
    finding.verdict = Finding::Verdict::differs;
  else if (waits)
    finding.verdict = Finding::Verdict::pending_reboot;
  else
    return;
  finding.reason.clear();
  finding.permission = false;
}

/// libkmod puts the options on the kernel command line behind those of modprobe.d: the last one wins.
void Comparison::note_command_line(const Spec& spec) {
  if (!state_.running || !state_.running->command_line) return;
  std::map<std::string, std::string> given;
  for (const auto& argument : parse_kernel_arguments(*state_.running->command_line))
    given[underscored(argument.key)] = argument.value.value_or("");
  for (const auto& [name, value] : spec.options) {
    const auto found = given.find(spec.name + "." + name);
    if (found == given.end() || same_parameter_value(found->second, value)) continue;
    proposal_.notes.push_back(
        {Note::Severity::warning, module_address(spec.name),
         fmt::format("the kernel command line has {}, which comes before the option {}={}",
                     kernel_word(found->first, found->second), name, value),
         fmt::format("set it in kernel.parameters, or make it {{state: absent}} there")});
  }
}

/// What the next boot reads. True if something has to be written.
bool Comparison::plan_files(const Spec& spec, const Finding& finding) {
  bool writes = false;
  if (!configured(spec)) {
    auto step = configure_step(spec.name, state_.own_modprobe->of(spec.name),
                               {spec.state == State::blocked, spec.options});
    step.claims = claim_of(spec, finding);
    step.blocked_by = option_obstacles(spec, state_);
    std::ranges::move(overriding_files(spec, state_), std::back_inserter(step.blocked_by));
    if (spec.state == State::blocked)
      std::ranges::move(config_obstacles(spec, state_), std::back_inserter(step.blocked_by));
    if (spec.state == State::blocked && state_.built_in(spec.name))
      step.blocked_by.push_back(
          fmt::format("module {} is built into the kernel and cannot be blocked", spec.name));
    configured_now_.push_back(configured_fact(spec.name));
    add(std::move(step));
    writes = true;
  }
  if (spec.state == State::as_is) return writes;
  const bool wanted = spec.state == State::loaded && !state_.built_in(spec.name);
  const bool listed = state_.at_boot->contains(spec.name);
  if (listed && spec.state == State::unloaded && state_.at_boot->at(spec.name) != OwnBootList::path)
    proposal_.notes.push_back(
        {Note::Severity::warning, finding.address,
         fmt::format("{} loads module {} again at the next boot", state_.at_boot->at(spec.name), spec.name),
         "take it out there, or say blocked in place of unloaded"});
  const bool ours = state_.own_boot_list->contains(spec.name);
  if (wanted ? !listed : ours) {
    auto step = load_at_boot_step(spec.name, wanted);
    step.claims = claim_of(spec, finding);
    if (wanted) step.blocked_by = config_obstacles(spec, state_);
    add(std::move(step));
    writes = true;
  }
  return writes;
}

/// What the running kernel has. True if something waits for the next boot.
bool Comparison::plan_runtime(const Spec& spec, const Finding& finding, bool configures) {
  if (!state_.running || spec.state == State::as_is) return false;
  const auto* loaded = state_.loaded(spec.name);
  if (spec.state == State::loaded) {
    if (loaded || state_.built_in(spec.name)) return false;
    auto step = load_step(spec.name);
    step.claims = claim_of(spec, finding);
    step.blocked_by = load_obstacles(spec, state_);
    std::ranges::move(config_obstacles(spec, state_), std::back_inserter(step.blocked_by));
    if (configures) step.needs.push_back(configured_fact(spec.name));
    add(std::move(step));
    return false;
  }
  if (!loaded && !state_.built_in(spec.name)) return false;
  const bool idle = unloadable_.contains(spec.name);
  if (spec.state == State::blocked && !(idle && may_unload())) {
    at_boot(unloaded_fact(spec.name), configures);
    return true;
  }
  auto step = unload_step(spec.name);
  step.claims = claim_of(spec, finding);
  if (!loaded)
    step.blocked_by.push_back(
        fmt::format("module {} is built into the kernel and cannot be unloaded", spec.name));
  else if (!devices_of(spec.name).empty())
    step.blocked_by.push_back(fmt::format(
        "module {} drives {}: say blocked in place of unloaded, which the next boot makes true, or unbind it",
        spec.name, devices_of(spec.name).front().to_string()));
  else if (!idle)
    step.blocked_by.push_back(in_use(spec.name, *loaded));
  else
    for (const auto& user : loaded->users) step.needs.push_back(unloaded_fact(user));
  if (configures) step.needs.push_back(configured_fact(spec.name));
  add(std::move(step));
  return false;
}

/// The fact becomes true with the next boot: by what is written now, or by what is there already.
void Comparison::at_boot(const Fact& fact, bool configures) {
  if (configures)
    at_boot_.push_back(fact);
  else
    proposal_.true_at_next_boot.push_back(fact);
}

void Comparison::no_longer_desired(const std::string& address, const Ownership::Object& object) {
  const auto owned = module_at(address);
  if (!owned) return;
  if (const auto error = unreadable()) {
    proposal_.notes.push_back(
        {Note::Severity::warning, address,
         "the document no longer names it, and it cannot be given back: " + error->message, error->advice});
    return;
  }
  const auto& module = *owned;
  const auto own = state_.own_modprobe->of(module);
  auto step = give_back_step(module, own, state_.own_boot_list->contains(module));
  if (!own.empty()) configured_now_.push_back(configured_fact(module));

  const auto* loaded = state_.loaded(module);
  const bool was_unloaded = object.before.is_object() &&
                            object.before.value("/running/state"_json_pointer, std::string{}) == "unloaded";
  const bool we_loaded =
      was_unloaded && object.applied.is_object() && object.applied.value("state", std::string{}) == "loaded";
  if (loaded && we_loaded) {
    const auto& devices = devices_of(module);
    if (loaded->use_count == 0 && devices.empty() && may_unload()) {
      auto unload = unload_step(module);
      unload.reason = ActionReason::removed_from_desired;
      step.needs.push_back(unloaded_fact(module));
      unloads_.push_back(unloaded_fact(module));
      add(std::move(unload));
    } else {
      proposal_.notes.push_back(
          {Note::Severity::info, address,
           loaded->use_count > 0 ? in_use(module, *loaded) + "; it stays loaded until the next boot"
           : !devices.empty()    ? fmt::format("module {} drives {}; it stays loaded until the next boot",
                                               module, devices.front().to_string())
                                 : fmt::format("module {} stays loaded until the next boot", module),
           may_unload() ? "" : input_.policy.way_to_allow(Disruption::remove_idle)});
    }
  }
  add(std::move(step));
}

Proposal Comparison::finish() && {
  // What is loaded now may need what is given back: then it loads that again.
  for (auto& step : proposal_.steps)
    if (step.action.verb == module_verb::load)
      step.needs.insert(step.needs.end(), unloads_.begin(), unloads_.end());
  const auto& initramfs = state_.initramfs;
  const bool stale = initramfs && initramfs->copied && state_.own_modprobe &&
                     *initramfs->copied != state_.own_modprobe->digest();
  if (initramfs && (stale || !configured_now_.empty())) {
    add(refresh_step(*initramfs, configured_now_));
    proposal_.steps.back().provides_at_boot = at_boot_;
    return std::move(proposal_);
  }
  // Without an initramfs the files themselves are what the next boot reads.
  for (auto& step : proposal_.steps)
    for (const auto& fact : at_boot_)
      if (step.action.verb == module_verb::configure &&
          "module/" + step.action.arguments.value("module", "") == fact.subject)
        step.provides_at_boot.push_back(fact);
  return std::move(proposal_);
}

}  // namespace

Proposal KernelModules::plan_from(const KernelModulesState& state, const PlanInput& input) const {
  Comparison comparison(state, input, state.spec);
  std::set<std::string> named;
  for (const auto& spec : state.spec) {
    named.insert(module_address(spec.name));
    comparison.desired(spec);
  }
  for (const auto& [address, object] : input.owned.of(input.document))
    if (!named.contains(address)) comparison.no_longer_desired(address, object);
  return std::move(comparison).finish();
}

}  // namespace gpuhost
