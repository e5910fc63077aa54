#include <algorithm>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_parameters/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view address_prefix = "kernel.parameters[";
constexpr const char* lane = "boot loader";
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

/// What is true of the running kernel once these values are on its command line.
std::vector<Fact> facts_of(std::string_view key, const Occurrences& values) {
  const auto subject = "kernel_parameter/" + underscored(key);
  std::vector<std::string> parts;
  for (const auto& value : values) parts.push_back(value.value_or(""));
  std::vector<Fact> facts{{subject, values.empty() ? "absent" : join(parts, "|")}};
  if (values.empty() || values.back() != "off") facts.push_back({subject, "not off"});
  if (values.empty() || !values.back() || !values.back()->contains(',')) return facts;
  for (const auto part : split(*values.back(), ','))
    if (!part.empty()) facts.push_back({subject, std::string(part)});
  return facts;
}

bool has(const Occurrences& values, const std::optional<std::string>& value) {
  return std::ranges::find(values, value) != values.end();
}

/// Goes through the keys and gathers what a proposal needs.
class Comparison {
 public:
  explicit Comparison(const KernelParametersState& state) : state_(state) {}

  void desired(const KernelParameterSpec& spec);
  void no_longer_desired(const std::string& address, const Ownership::Object& object);
  Proposal finish() &&;

 private:
  [[nodiscard]] std::optional<Error> unreadable() const;
  [[nodiscard]] Occurrences running(std::string_view key) const { return (**state_.running).of(key); }
  [[nodiscard]] bool runs_with(std::string_view key, const Occurrences& values) const {
    return !state_.running || running(key) == values;
  }
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
  [[nodiscard]] Step rebuild_step() const;
  void warn_of_next_boot();
  [[nodiscard]] std::vector<std::string> words_lost() const;

  const KernelParametersState& state_;
  Proposal proposal_;
  std::map<std::string, Occurrences> to_build_;  // what the entries are to become
  std::vector<Fact> staged_now_;
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
  if (state_.boot) shown["next_boot"] = json_of(next_boot(key));
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
  const bool runs = runs_with(spec.key, wanted.values);
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
    std::ranges::move(facts_of(spec.key, wanted.values), std::back_inserter(proposal_.true_at_next_boot));
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
  const auto at_boot = runs_with(wanted.key, expected) ? std::vector<Fact>{} : facts_of(wanted.key, expected);
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
  if (builds && (next != expected || !entries_agree(boot, wanted.key, expected)))
    to_build_[underscored(wanted.key)] = expected;
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
  step.lanes = {lane};
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
  if (runs_with(wanted.key, expected)) {
    step.gives_back = address;
  } else {
    step.claims = Claim{address, object.before, json_of(expected)};
    proposal_.steps.push_back(forget_step(address, wanted, expected));
  }
  change(wanted, next, std::move(step));
}

void Comparison::wait_for_release(const std::string& address, const ParameterChange& wanted,
                                  const Occurrences& expected) {
  if (!runs_with(wanted.key, expected)) {
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
  if (!runs_with(wanted.key, values)) step.needs = {facts_of(wanted.key, values).front()};
  return step;
}

Step Comparison::rebuild_step() const {
  const auto& boot = *state_.boot;
  std::vector<std::string> commands;
  for (const auto& command : boot.rebuild) commands.push_back("'" + join(command.argv, " ") + "'");
  Step step;
  Json next = Json::object();
  Json before = Json::object();
  for (const auto& [key, values] : to_build_) {
    next[key] = json_of(values);
    before[key] = json_of(next_boot(key));
    if (!runs_with(key, values))
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
  step.needs = staged_now_;
  step.lanes = {lane};
  step.derived = true;
  step.reason = ActionReason::prerequisite;
  if (!boot.rebuild_blocked.empty()) step.blocked_by.push_back(boot.rebuild_blocked);
  if (const auto lost = words_lost(); !lost.empty())
    step.blocked_by.push_back(fmt::format(
        "it would make the entries without {}, which the configuration of {} lacks: add it there, or "
        "make the entries anew by hand",
        join(lost, " "), boot.loader));
  return step;
}

/// What the entries hold beside the managed keys and would not hold any more when they are made anew.
std::vector<std::string> Comparison::words_lost() const {
  const auto& boot = *state_.boot;
  std::vector<std::string> lost;
  if (!boot.entries_from_line || !boot.configuration || boot.configuration->lines.empty()) return lost;
  const auto& line = boot.configuration->lines.front();
  for (const auto& entry : *boot.entries)
    for (const auto& argument : parse_kernel_arguments(entry.command_line.text())) {
      const auto key = underscored(argument.key);
      if (key == "initrd" || key == "systemd.machine_id" || to_build_.contains(key)) continue;
      if (has(line.of(key), argument.value)) continue;
      auto word = kernel_word(argument.key, argument.value);
      if (std::ranges::find(lost, word) == lost.end()) lost.push_back(std::move(word));
    }
  return lost;
}

/// No loader goes back to the old words by itself.
void Comparison::warn_of_next_boot() {
  const bool changes_boot = !to_build_.empty() || std::ranges::any_of(proposal_.steps, [](const Step& step) {
    return !step.provides_at_boot.empty();
  });
  if (!changes_boot) return;
  proposal_.notes.push_back(
      {Note::Severity::info, "kernel.boot_loader",
       fmt::format("a kernel that does not come up with this command line is not brought back by itself: "
                   "{} boots it again",
                   state_.boot->loader),
       "keep the host's console at hand: in the boot menu, 'e' edits the words of one boot"});
}

Proposal Comparison::finish() && {
  if (!to_build_.empty()) proposal_.steps.push_back(rebuild_step());
  warn_of_next_boot();
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
