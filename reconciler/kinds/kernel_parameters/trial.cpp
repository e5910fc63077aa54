#include "kinds/kernel_parameters/trial.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

using State = BootTrial::State;

constexpr const char* address = "kernel.boot_loader.fallback";

Fact kept_fact() {
  return {KernelParameters::fallback_subject, "kept"};
}

Json title_or_null(const std::string& title) {
  return title.empty() ? Json() : Json(title);
}

Step step_of(const char* verb, Json arguments) {
  Step step;
  step.action = {std::string(KernelParameters::kind_name), verb, address, std::move(arguments)};
  step.lanes = {KernelParameters::lane};
  step.reason = ActionReason::prerequisite;
  return step;
}

Step begin_step(const BootTrial& trial) {
  const auto& title = trial.to_keep->title;
  auto step = step_of(KernelParameters::try_verb, Json::object());
  step.actions = {"create"};
  step.title =
      fmt::format("keep '{}', as it runs now, as the default boot entry, and try the new ones once", title);
  step.progress = fmt::format("keeping '{}', as it runs now, as the default boot entry", title);
  step.before = {{"fallback", title_or_null(trial.kept.title)}};
  step.after = {{"fallback", title}};
  step.explanation = "a kernel that does not come up with the new parameters is not booted again";
  step.provides = {kept_fact()};
  return step;
}

Step end_step(const std::string& kept) {
  auto step = step_of(KernelParameters::set_trial_verb, {{"text", ""}, {"to_come", false}});
  step.actions = {"delete"};
  step.title = "make the tried boot entries the default";
  step.progress = "making the tried boot entries the default";
  step.before = {{"fallback", title_or_null(kept)}};
  step.after = {{"fallback", nullptr}};
  step.explanation = "the kernel has come up with its new parameters";
  return step;
}

Note untried_note(const BootSetup& boot, const Error& why) {
  return {Note::Severity::info, "kernel.boot_loader",
          fmt::format("a kernel that does not come up with this command line is not brought back by itself: "
                      "{} boots it again ({})",
                      boot.loader, why.message),
          "keep the host's console at hand: in the boot menu, 'e' edits the words of one boot"};
}

Note tried_note(const std::string& kept) {
  return {Note::Severity::info, address,
          fmt::format("only the next boot tries the new boot entries; every later one takes '{}' as it runs "
                      "now, until an apply has found the host as the document says",
                      kept),
          "a kernel that panics reboots by itself only with panic=SECONDS on its command line"};
}

Note failed_note(const BootTrial& trial) {
  const auto* what =
      trial.state == State::over
          ? "the host did not come up with the new boot entries: they were tried once"
          : "the last boot did not try the new boot entries: the boot loader could not note that "
            "it does, or was told of another entry";
  return {Note::Severity::error, address,
          fmt::format("{}, and '{}' is the default as before", what, trial.kept.title),
          "find out why (journalctl -b -1, or the console) and change the document; to have the new ones "
          "booted all the same, take the lines of gpuhost out of custom.cfg beside grub.cfg"};
}

/// The kernel runs as the first of the entries says, but for these keys.
bool runs_but_for(const std::set<std::string>& keys, const KernelParametersState& state) {
  if (!state.running || !*state.running || !state.boot->entries || state.boot->entries->empty()) return false;
  const auto& running = **state.running;
  const auto& entry = state.boot->entries->front().command_line;
  const auto agrees = [&](const KernelArgument& argument) {
    const auto key = underscored(argument.key);
    return added_by_loader(argument.key) || keys.contains(key) || running.of(key) == entry.of(key);
  };
  return std::ranges::all_of(parse_kernel_arguments(running.text()), agrees) &&
         std::ranges::all_of(parse_kernel_arguments(entry.text()), agrees);
}

bool changes_boot(const Proposal& proposal) {
  return std::ranges::any_of(proposal.steps, [](const Step& step) { return !step.provides_at_boot.empty(); });
}

/// Entries change that the document wants.
void begin(const BootTrial& trial, const TrialNeed& need, Proposal& proposal) {
  if (trial.state != State::to_come) {
    proposal.steps.back().needs.push_back(kept_fact());
    proposal.steps.push_back(begin_step(trial));
  }
  const auto& kept = trial.state == State::to_come ? trial.kept.title : trial.to_keep->title;
  auto end = end_step(kept);
  end.needs = need.to_change;
  proposal.when_in_sync.push_back(std::move(end));
  proposal.notes.push_back(tried_note(kept));
}

/// A trial that is under way, of this document or another one, to which this plan adds nothing.
void go_on(const KernelParametersState& state, const TrialNeed& need, Proposal& proposal) {
  const auto& trial = *state.boot->trial;
  if (trial_failed(*state.boot, need)) return proposal.notes.push_back(failed_note(trial));
  auto end = end_step(trial.kept.title);
  if (!need.staged.empty()) {
    end.needs = need.staged;
    proposal.when_in_sync.push_back(std::move(end));
    return proposal.notes.push_back(tried_note(trial.kept.title));
  }
  if (!runs_but_for(need.given_back, state)) return;  // another document's is tried
  if (!need.wanted && !need.given_back.empty()) return proposal.steps.push_back(std::move(end));
  if (!need.wanted) return;
  proposal.when_in_sync.push_back(std::move(end));
  proposal.findings.push_back({.address = address,
                               .verdict = Finding::Verdict::differs,
                               .observed = trial.kept.title,
                               .reason = "the boot entries that run are tried, and not the default yet"});
}

}  // namespace

bool trial_failed(const BootSetup& boot, const TrialNeed& need) {
  return boot.trial && boot.trial->has_been() && !need.staged.empty() && need.to_change.empty();
}

void propose_trial(const KernelParametersState& state, const TrialNeed& need, Proposal& proposal) {
  const auto& boot = *state.boot;
  const auto& trial = boot.trial;
  const bool tries = trial && (trial->state == State::to_come || trial->to_keep);
  if (!need.to_change.empty() && tries) return begin(*trial, need, proposal);
  if (trial && trial->state != State::none && need.to_change.empty()) return go_on(state, need, proposal);
  if (!changes_boot(proposal)) return;
  const Error given_back{ErrorKind::unsupported, "what is given back is not tried"};
  proposal.notes.push_back(untried_note(boot, !trial            ? trial.error()
                                              : !trial->to_keep ? trial->to_keep.error()
                                                                : given_back));
}

}  // namespace gpuhost
