#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_parameters/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view subject_prefix = "kernel_parameter/";

/// The values as a fact's state has them.
std::string joined(const Occurrences& values) {
  std::vector<std::string> parts;
  for (const auto& value : values) parts.push_back(value.value_or(""));
  return join(parts, "|");
}

bool state_holds(std::string_view state, const Occurrences& values) {
  if (state == "absent") return values.empty();
  if (state == "not off") return values.empty() || values.back() != "off";
  if (values.empty()) return false;
  if (joined(values) == state) return true;
  if (state.empty()) return false;
  const std::string last = values.back().value_or("");
  const auto parts = split(last, ',');
  return std::ranges::find(parts, state) != parts.end();
}

Json describe_boot(const BootSetup& boot) {
  Json shown{{"boot_loader", boot.loader}};
  if (!boot.entries) {
    shown["next_boot"] = unknown_json(boot.entries.error());
    return shown;
  }
  if (!boot.entries->empty()) shown["next_boot"] = boot.entries->front().command_line.words();
  for (const auto& entry : *boot.entries) shown["entries"].push_back(entry.title);
  if (boot.configuration && boot.configuration->drop_in && !boot.configuration->drop_in->empty())
    shown["drop_in"] = GrubDropIn::path;
  if (boot.trial && boot.trial->state != BootTrial::State::none) shown["fallback"] = boot.trial->kept.title;
  return shown;
}

}  // namespace

std::unique_ptr<Kind> make_kernel_parameters(std::vector<KernelParameterSpec> spec) {
  return std::make_unique<KernelParameters>(std::move(spec));
}

KernelParametersState KernelParameters::look(const HostView& host) const {
  KernelParametersState state;
  if (host.running) {
    auto text = host.files.read("/proc/cmdline");
    state.running = text ? Result<CommandLine>(CommandLine(std::string(trim(*text))))
                         : Result<CommandLine>(std::unexpected(text.error()));
  }
  if (const auto loader = find_boot_loader(host)) state.boot = loader->look(host);
  return state;
}

Json KernelParametersState::describe() const {
  Json shown = boot ? describe_boot(*boot) : Json{{"boot_loader", nullptr}};
  if (running) shown["running"] = *running ? Json((*running)->words()) : unknown_json(running->error());
  return shown;
}

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

bool entries_agree(const BootSetup& boot, std::string_view key, const Occurrences& values) {
  return std::ranges::all_of(*boot.entries,
                             [&](const BootEntry& entry) { return entry.command_line.of(key) == values; });
}

bool is_staged(const BootSetup& boot, const ParameterChange& change) {
  if (!boot.configuration) return false;
  const auto& [lines, drop_in] = *boot.configuration;
  if (drop_in) {
    const auto* entry = drop_in->find(change.key);
    if (change.release) return entry == nullptr;
    if (entry) return drop_in->intact() && entry->values == change.values;
    return boot.entries && entries_agree(boot, change.key, change.values);
  }
  const bool configured = std::ranges::all_of(
      lines, [&](const CommandLine& line) { return line.of(change.key) == change.values; });
  // Without a rebuild the entries are themselves what is staged.
  const bool entries_too =
      !boot.rebuild.empty() || !boot.entries || entries_agree(boot, change.key, change.values);
  return configured && entries_too;
}

std::optional<Truth> KernelParameters::holds_in(const Fact& fact, const KernelParametersState& state) const {
  if (fact.subject == fallback_subject) return Truth::of(false);  // said of steps of one plan only
  if (!fact.subject.starts_with(subject_prefix)) return std::nullopt;
  if (fact.state == "staged") return Truth::of(false);  // said of steps of one plan only
  if (!state.running) return Truth::unknown("no kernel runs under --root");
  if (!*state.running) return Truth::unknown(state.running->error().message);
  const auto key = std::string_view(fact.subject).substr(subject_prefix.size());
  return Truth::of(state_holds(fact.state, (*state.running)->of(key)));
}

std::string KernelParameters::advice(const Fact& fact) const {
  if (!fact.subject.starts_with(subject_prefix) || fact.state == "staged") return {};
  const auto key = std::string_view(fact.subject).substr(subject_prefix.size());
  if (fact.state == "absent" || fact.state == "not off")
    return fmt::format("add kernel.parameters.{}: {{state: absent}}", key);
  if (fact.state.empty()) return fmt::format("add kernel.parameters.{}: {{state: present}}", key);
  if (!fact.state.contains('|')) return fmt::format("add kernel.parameters.{}: \"{}\"", key, fact.state);
  std::vector<std::string> values;
  for (const auto value : split(fact.state, '|')) values.push_back(fmt::format("\"{}\"", value));
  return fmt::format("add kernel.parameters.{}: {{values: [{}]}}", key, join(values, ", "));
}

}  // namespace gpuhost
