#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_parameters/kind.hpp"
#include "kinds/kernel_parameters/rebuild.hpp"
#include "kinds/kernel_parameters/trial.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view address_prefix = "kernel.parameters[";
constexpr const char* no_loader =
    "no boot loader that gpuhost knows is here (GRUB, grubby, systemd-boot or proxmox-boot-tool): set the "
    "kernel "
    "command line where this host's boot is configured";

std::string address_of(std::string_view key) {
  return fmt::format("{}{}]", address_prefix, underscored(key));
}

std::optional<std::string> key_at(std::string_view address) {
  if (!address.starts_with(address_prefix) || !address.ends_with(']')) return std::nullopt;
  address.remove_prefix(address_prefix.size());
  return std::string(address.substr(0, address.size() - 1));
}

Occurrences occurrences_of(const KernelParameterSpec& spec) {
  if (!spec.present) return {};
  if (spec.values.empty()) return {std::nullopt};
  return {spec.values.begin(), spec.values.end()};
}

Fact staged_fact(std::string_view key) {
  return {"kernel_parameter/" + underscored(key), "staged"};
}

/// Goes through the keys and gathers what a proposal needs.
class Comparison {
 public:
  explicit Comparison(const KernelParametersState& state) : state_(state) {}

  void desired(const KernelParameterSpec& spec);
  void no_longer_desired(const std::string& address, const Ownership::Object& object);
  Proposal finish() &&;

 private:
  void wait_for_boot();
  [[nodiscard]] std::optional<Error> unreadable() const;
  [[nodiscard]] Occurrences running(std::string_view key) const { return (**state_.running).of(key); }
  [[nodiscard]] Occurrences next_boot(std::string_view key) const;
  [[nodiscard]] Json observed(std::string_view key) const;
  [[nodiscard]] std::string differing_entries(std::string_view key) const;
  [[nodiscard]] bool any_line_has(std::string_view key, const Occurrences& values) const;
  void compare(const KernelParameterSpec& spec, Finding& finding);
  void change(const ParameterChange& wanted, const Occurrences& next, Step step);
  [[nodiscard]] Step step_for(const char* verb, const ParameterChange& wanted, const Occurrences& next) const;
  [[nodiscard]] Occurrences after_release(const std::string& key, const Occurrences& before) const;
  void release(const std::string& address, const ParameterChange& wanted, const Occurrences& expected,
               const Ownership::Object& object);
  void wait_for_release(const std::string& address, const ParameterChange& wanted,
                        const Occurrences& expected);
  [[nodiscard]] Step forget_step(const std::string& address, const ParameterChange& wanted,
                                 const Occurrences& values) const;

  const KernelParametersState& state_;
  Proposal proposal_;
  EntryChanges to_build_;
  std::vector<Fact> staged_now_;
  TrialNeed trial_;
  std::vector<std::string> waiting_;  // addresses of what is in the entries and not running
};

std::optional<Error> Comparison::unreadable() const {
  if (state_.running && !*state_.running) return state_.running->error();
  if (state_.boot && !state_.boot->entries) return state_.boot->entries.error();
  if (state_.boot && state_.boot->entries->empty())
    return Error{ErrorKind::unsupported, "cannot tell the next boot's command line: " + state_.boot->loader +
                                             " has no Linux entry that gpuhost can read"};
  return std::nullopt;
}

Occurrences Comparison::next_boot(std::string_view key) const {
  return state_.boot->entries->front().command_line.of(key);
}

Json Comparison::observed(std::string_view key) const {
  Json shown = Json::object();
  if (state_.running) shown["running"] = json_of(running(key));
  if (!state_.boot) return shown;
  const auto& trial = state_.boot->trial;
  const bool falls_back = trial && trial->has_been();
  shown["next_boot"] = json_of(falls_back ? trial->kept.command_line.of(key) : next_boot(key));
  return shown;
}

std::string Comparison::differing_entries(std::string_view key) const {
  std::vector<std::string> titles;
  for (const auto& entry : *state_.boot->entries)
    if (entry.command_line.of(key) != next_boot(key)) titles.push_back("'" + entry.title + "'");
  return titles.empty() ? "" : "other boot entries have other values: " + join(titles, ", ");
}

/// Precondition: the configuration is known.
bool Comparison::any_line_has(std::string_view key, const Occurrences& values) const {
  return std::ranges::any_of(state_.boot->configuration->lines,
                             [&](const CommandLine& line) { return line.of(key) == values; });
}

void Comparison::desired(const KernelParameterSpec& spec) {
  trial_.wanted = true;
  Finding finding{.address = address_of(spec.key), .desired = json_of(occurrences_of(spec))};
  if (const auto error = unreadable()) {
    finding.verdict = Finding::Verdict::unknown;
    finding.reason = error->sentence();
    finding.permission = lacks_permission(*error);
  } else {
    finding.observed = observed(spec.key);
    compare(spec, finding);
  }
  proposal_.findings.push_back(std::move(finding));
}

void Comparison::compare(const KernelParameterSpec& spec, Finding& finding) {
  const ParameterChange wanted{spec.key, occurrences_of(spec)};
  const bool runs = state_.runs_with(spec.key, wanted.values);
  if (!state_.boot) {
    finding.verdict = runs ? Finding::Verdict::unknown : Finding::Verdict::differs;
    finding.reason = no_loader;
    if (runs) return;
    auto step = step_for(KernelParameters::stage_verb, wanted, {});
    step.before["next_boot"] = "unknown";
    step.blocked_by.push_back(no_loader);
    proposal_.steps.push_back(std::move(step));
    return;
  }
  const auto next = next_boot(spec.key);
  const bool agree = entries_agree(*state_.boot, spec.key, wanted.values);
  const bool staged = agree && (is_staged(*state_.boot, wanted) || !state_.boot->configuration);
  finding.reason = differing_entries(spec.key);
  if (staged) {
    if (runs) return;
    finding.verdict = Finding::Verdict::pending_reboot;
    waiting_.push_back(finding.address);
    std::ranges::move(facts_of(spec.key, wanted.values), std::back_inserter(trial_.staged));
    return;
  }
  finding.verdict = Finding::Verdict::differs;
  auto step = step_for(KernelParameters::stage_verb, wanted, next);
  step.claims = Claim{finding.address, json_of(next), json_of(wanted.values)};
  change(wanted, next, std::move(step));
}

/// Stages what is not staged, and notes what the entries lack.
void Comparison::change(const ParameterChange& wanted, const Occurrences& next, Step step) {
  const auto& boot = *state_.boot;
  const auto expected = wanted.release ? after_release(wanted.key, wanted.values) : wanted.values;
  const bool builds = !boot.rebuild.empty() || !boot.rebuild_blocked.empty();
  const auto at_boot =
      state_.runs_with(wanted.key, expected) ? std::vector<Fact>{} : facts_of(wanted.key, expected);
  if (!is_staged(boot, wanted)) {
    if (!boot.configuration) step.blocked_by.push_back(boot.configuration.error().sentence());
    if (builds) {
      step.provides = {staged_fact(wanted.key)};
      staged_now_.push_back(staged_fact(wanted.key));
    } else {
      step.provides_at_boot = at_boot;
    }
    proposal_.steps.push_back(std::move(step));
  } else if (wanted.release) {
    proposal_.steps.push_back(std::move(step));
  }
  if (!builds || (next == expected && entries_agree(boot, wanted.key, expected))) return;
  to_build_[underscored(wanted.key)] = expected;
  if (!wanted.release) std::ranges::copy(at_boot, std::back_inserter(trial_.to_change));
}

Step Comparison::step_for(const char* verb, const ParameterChange& wanted, const Occurrences& next) const {
  const auto words = words_for(wanted.key, wanted.values);
  const bool release = wanted.release;
  Step step;
  step.action = {std::string(KernelParameters::kind_name),
                 verb,
                 address_of(wanted.key),
                 {{"key", wanted.key}, {"values", json_of(wanted.values)}}};
  step.actions = {wanted.values.empty() ? "delete" : next.empty() ? "create" : "update"};
  const auto what = words.empty() ? wanted.key : words;
  if (release) {
    step.title = fmt::format("give back kernel parameter {}", wanted.key);
    step.progress = fmt::format("giving back kernel parameter {}", wanted.key);
  } else {
    step.title =
        fmt::format("{} kernel parameter {} for the next boot", words.empty() ? "remove" : "set", what);
    step.progress = fmt::format("{} kernel parameter {}", words.empty() ? "removing" : "setting", what);
  }
  step.before = observed(wanted.key);
  step.after = step.before;
  const auto expected = release && state_.boot ? after_release(wanted.key, wanted.values) : wanted.values;
  step.after["next_boot"] = json_of(expected);
  step.before["desired"] = step.after["desired"] = json_of(expected);
  step.lanes = {KernelParameters::lane};
  return step;
}

/// What the next boot has when gpuhost's hand is off: with a drop-in, what the files before it say.
Occurrences Comparison::after_release(const std::string& key, const Occurrences& before) const {
  const auto& configuration = state_.boot->configuration;
  if (!configuration || !configuration->drop_in || configuration->lines.empty()) return before;
  return configuration->lines.front().of(key);
}

/// Gives a key back in two strides: its values return to what they were for the next boot, and the record of
/// it goes when the kernel runs with them. Until then the key is still this document's, and each run says so.
void Comparison::no_longer_desired(const std::string& address, const Ownership::Object& object) {
  const auto key = key_at(address);
  if (!key) return;
  trial_.given_back.insert(*key);
  if (const auto error = state_.boot ? unreadable() : Error{ErrorKind::unsupported, no_loader}) {
    proposal_.notes.push_back(
        {Note::Severity::warning, address,
         "the document no longer names it, and it cannot be given back: " + error->message, error->advice});
    return;
  }
  const ParameterChange wanted{*key, occurrences_from(object.before), true};
  const auto next = next_boot(*key);
  const auto expected = after_release(*key, wanted.values);
  const auto& configuration = state_.boot->configuration;
  const bool in_drop_in =
      configuration && configuration->drop_in && configuration->drop_in->find(*key) != nullptr;
  const bool configured_back = is_staged(*state_.boot, wanted);
  // Staged and never built: the run failed between the two.
  const bool in_lines =
      configuration && !configuration->drop_in && any_line_has(*key, occurrences_from(object.applied));
  if (configured_back && next == expected) {
    wait_for_release(address, wanted, expected);
  } else if (in_drop_in || in_lines || configured_back || json_of(next) == object.applied) {
    release(address, wanted, expected, object);
  } else {
    auto step = forget_step(address, wanted, next);
    step.title = fmt::format("leave kernel parameter {} as it is", *key);
    step.progress = fmt::format("leaving kernel parameter {}", *key);
    step.explanation = "another hand has changed it since gpuhost set it";
    proposal_.steps.push_back(std::move(step));
  }
}

void Comparison::release(const std::string& address, const ParameterChange& wanted,
                         const Occurrences& expected, const Ownership::Object& object) {
  const auto next = next_boot(wanted.key);
  auto step = step_for(KernelParameters::release_verb, wanted, next);
  step.reason = ActionReason::removed_from_desired;
  if (state_.runs_with(wanted.key, expected)) {
    step.gives_back = address;
  } else {
    step.claims = Claim{address, object.before, json_of(expected)};
    proposal_.steps.push_back(forget_step(address, wanted, expected));
  }
  change(wanted, next, std::move(step));
}

void Comparison::wait_for_release(const std::string& address, const ParameterChange& wanted,
                                  const Occurrences& expected) {
  if (!state_.runs_with(wanted.key, expected)) {
    proposal_.findings.push_back({.address = address,
                                  .verdict = Finding::Verdict::pending_reboot,
                                  .desired = json_of(expected),
                                  .observed = observed(wanted.key),
                                  .reason = "given back"});
    std::ranges::move(facts_of(wanted.key, expected), std::back_inserter(proposal_.true_at_next_boot));
  }
  proposal_.steps.push_back(forget_step(address, wanted, expected));
}

/// Touches the record only, once the kernel runs with `values`.
Step Comparison::forget_step(const std::string& address, const ParameterChange& wanted,
                             const Occurrences& values) const {
  auto step = step_for(KernelParameters::forget_verb, wanted, values);
  step.gives_back = address;
  step.actions = {"release"};
  step.title = fmt::format("end the ownership of kernel parameter {}", wanted.key);
  step.progress = fmt::format("ending the ownership of kernel parameter {}", wanted.key);
  step.explanation = "it is as it was before";
  step.after = step.before;
  step.lanes.clear();
  if (!state_.runs_with(wanted.key, values)) step.needs = {facts_of(wanted.key, values).front()};
  return step;
}

/// The next boot makes true what is in the entries, unless it did not come up with them.
void Comparison::wait_for_boot() {
  if (!trial_failed(*state_.boot, trial_)) {
    std::ranges::copy(trial_.staged, std::back_inserter(proposal_.true_at_next_boot));
    return;
  }
  for (auto& finding : proposal_.findings) {
    if (std::ranges::find(waiting_, finding.address) == waiting_.end()) continue;
    finding.verdict = Finding::Verdict::differs;
    finding.reason = "the host did not come up with it";
  }
}

Proposal Comparison::finish() && {
  if (!to_build_.empty()) proposal_.steps.push_back(rebuild_step(state_, to_build_, staged_now_));
  if (!state_.boot) return std::move(proposal_);
  wait_for_boot();
  propose_trial(state_, trial_, proposal_);
  return std::move(proposal_);
}

/// `hugepages` counts pages of the last `hugepagesz` before it
/// (Documentation/admin-guide/kernel-parameters.txt), and no document says which of two keys comes first.
void block_counts_of_unknown_size(const std::vector<KernelParameterSpec>& spec, std::vector<Step>& steps) {
  const bool sized =
      std::ranges::any_of(spec, [](const auto& one) { return one.present && one.key == "hugepagesz"; });
  if (!sized) return;
  for (auto& step : steps)
    if (step.action.address == address_of("hugepages") && step.action.verb == KernelParameters::stage_verb)
      step.blocked_by.push_back(
          "hugepages counts pages of the hugepagesz before it, and the order of keys is not kept; give the "
          "size as "
          "default_hugepagesz");
}

}  // namespace

Proposal KernelParameters::plan_from(const KernelParametersState& state, const PlanInput& input) const {
  Comparison comparison(state);
  std::vector<std::string> named;
  for (const auto& spec : spec_) {
    named.push_back(address_of(spec.key));
    comparison.desired(spec);
  }
  for (const auto& [address, object] : input.owned.of(input.document))
    if (std::ranges::find(named, address) == named.end()) comparison.no_longer_desired(address, object);
  auto proposal = std::move(comparison).finish();
  block_counts_of_unknown_size(spec_, proposal.steps);
  return proposal;
}

}  // namespace gpuhost
