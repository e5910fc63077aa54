#include <algorithm>

#include <fmt/format.h>

#include "kinds/observed_json.hpp"
#include "kinds/units/kind.hpp"
#include "kinds/units/unit_name.hpp"

namespace gpuhost {

namespace {

/// One of the two fields of a unit: whether the next boot starts it, or whether it runs.
struct Field {
  std::string unit;
  bool runtime;  ///< `state`, else `enabled`

  [[nodiscard]] std::string address() const {
    return fmt::format("units[{}].{}", unit, runtime ? "state" : "enabled");
  }
  /// A unit on its way up or down counts as up: it is not down yet.
  [[nodiscard]] bool value(const UnitState& seen) const {
    return runtime ? !seen.is_inactive() : is_enabled(seen);
  }
  [[nodiscard]] bool holds(bool wanted, const UnitState& seen) const {
    return runtime && wanted ? is_active(seen) : value(seen) == wanted;
  }
  [[nodiscard]] Json json(bool value) const {
    if (!runtime) return value;
    return value ? "active" : "inactive";
  }
  [[nodiscard]] const char* verb(bool value) const {
    if (runtime) return value ? "start" : "stop";
    return value ? "enable" : "disable";
  }
};

/// Why the unit cannot come to this, with what to do; empty: it can.
std::string obstacle(const Field& field, bool wanted, const UnitState& seen) {
  const auto& unit = field.unit;
  if (!wanted || seen.load_state == "not-found") return {};
  if (seen.load_state == "masked" || seen.unit_file_state == "masked")
    return fmt::format("unit {} is masked: run systemctl unmask {}", unit, unit);
  if (seen.load_state != "loaded")
    return fmt::format("unit {} cannot be loaded ({}): see systemctl status {}", unit, seen.load_state, unit);
  if (!field.runtime && seen.unit_file_state != "disabled" && seen.unit_file_state != "enabled-runtime" &&
      seen.unit_file_state != "linked")
    return fmt::format("unit {} is {} and cannot be enabled: it has no [Install] section that would start it",
                       unit, seen.unit_file_state.empty() ? "without a unit file" : seen.unit_file_state);
  return {};
}

/// The record is a file too: nothing is done by it that a document could not ask for.
bool may_be_managed(const std::string& unit) {
  return unit_name::is_manageable(unit) && !unit_name::is_own(unit) && !unit_name::ends_the_system(unit);
}

Step step_for(const Field& field, bool wanted, const UnitState& seen) {
  auto step = unit_step(field.verb(wanted), field.unit);
  step.action.address = field.address();
  step.before = field.json(field.value(seen));
  step.after = field.json(wanted);
  if (auto why = obstacle(field, wanted, seen); !why.empty()) step.blocked_by.push_back(std::move(why));
  if (wanted && seen.load_state == "not-found") step.needs.push_back(there(field.unit));
  return step;
}

Result<UnitState> state_of(const UnitsState& state, const std::string& unit) {
  if (!state.running) return fail(ErrorKind::unavailable, "no systemd runs under --root");
  const auto found = state.units.find(unit);
  if (found == state.units.end()) return fail(ErrorKind::unavailable, "the unit was not looked at");
  return found->second;
}

void compare(const Field& field, bool wanted, const UnitsState& state, Proposal& proposal) {
  Finding finding{.address = field.address(), .desired = field.json(wanted)};
  const auto seen = state_of(state, field.unit);
  if (!seen) {
    finding.verdict = Finding::Verdict::unknown;
    finding.reason = seen.error().message;
    finding.permission = lacks_permission(seen.error());
  } else {
    const bool now = field.value(*seen);
    finding.observed = field.json(now);
    if (field.runtime && seen->active_state == "failed") finding.reason = "the unit has failed";
    if (field.runtime && !is_active(*seen) && !seen->is_inactive()) {
      finding.observed = seen->active_state;
      finding.reason = "the unit is " + seen->active_state;
    }
    if (!field.holds(wanted, *seen)) {
      finding.verdict = Finding::Verdict::differs;
      auto step = step_for(field, wanted, *seen);
      step.claims = Claim{field.address(), field.json(now), field.json(wanted)};
      proposal.steps.push_back(std::move(step));
    }
  }
  proposal.findings.push_back(std::move(finding));
}

/// Back to what it was, if it still is what gpuhost made it; else only the record goes.
void give_back(const Field& field, const Ownership::Object& object, const UnitsState& state,
               const PlanInput& input, Proposal& proposal) {
  const auto seen = state_of(state, field.unit);
  if (!seen) return;
  const bool now = field.value(*seen);
  const bool before = field.runtime ? object.before == "active" : object.before == true;
  const bool restores = field.json(now) == object.applied && now != before && may_be_managed(field.unit) &&
                        obstacle(field, before, *seen).empty() &&
                        (!before || seen->load_state != "not-found");
  auto step = step_for(field, restores ? before : now, *seen);
  step.gives_back = field.address();
  step.reason = ActionReason::removed_from_desired;
  if (!restores) {
    step.action.verb = "forget";
    step.actions = {"release"};
    step.title = fmt::format("leave unit {} as it is", field.unit);
    step.progress = fmt::format("leaving unit {}", field.unit);
    step.provides = step.ends = {};
    step.disruption = Disruption::none;
    step.affects = {};
    step.blocked_by = {};
    step.needs = {};
  } else if (step.disruption > input.policy.disruption) {
    proposal.notes.push_back(
        {Note::Severity::warning, field.address(),
         "the document no longer names it, and it is left running: stopping it needs disruption " +
             std::string(to_string(step.disruption)),
         input.policy.way_to_allow(step.disruption) + ", or stop the unit by hand"});
    return;
  }
  proposal.steps.push_back(std::move(step));
}

std::optional<Field> field_at(std::string_view address) {
  constexpr std::string_view prefix = "units[";
  if (!address.starts_with(prefix)) return std::nullopt;
  for (const bool runtime : {true, false}) {
    const std::string_view suffix = runtime ? "].state" : "].enabled";
    if (!address.ends_with(suffix)) continue;
    address.remove_suffix(suffix.size());
    return Field{std::string(address.substr(prefix.size())), runtime};
  }
  return std::nullopt;
}

}  // namespace

Step unit_step(const std::string& verb, const std::string& unit) {
  struct Words {
    const char* verb;
    const char* title;
    const char* progress;
  };
  static constexpr Words all[] = {{"start", "start unit", "starting unit"},
                                  {"stop", "stop unit", "stopping unit"},
                                  {"enable", "enable unit", "enabling unit"},
                                  {"disable", "disable unit", "disabling unit"}};
  const auto* words = std::ranges::find(all, verb, &Words::verb);
  Step step;
  step.action = {std::string(Units::kind_name), verb, fmt::format("units[{}]", unit), {{"unit", unit}}};
  step.actions = {verb};
  step.title = fmt::format("{} {}", words->title, unit);
  step.progress = fmt::format("{} {}", words->progress, unit);
  step.lanes = {"unit/" + unit};
  const Fact active{"unit/" + unit, "active"};
  const Fact inactive{"unit/" + unit, "inactive"};
  if (verb == "start") {
    step.before = "inactive";
    step.after = "active";
    step.provides = {active};
    step.ends = {inactive};
  } else if (verb == "stop") {
    step.before = "active";
    step.after = "inactive";
    step.provides = {inactive};
    step.ends = {active};
    step.disruption = Disruption::stop_units;
    step.affects = {{.type = "unit", .name = unit}};
  }
  return step;
}

Proposal Units::plan_from(const UnitsState& state, const PlanInput& input) const {
  Proposal proposal;
  for (const auto& spec : spec_) {
    if (spec.enabled) compare({spec.name, false}, *spec.enabled, state, proposal);
    if (spec.active) compare({spec.name, true}, *spec.active, state, proposal);
  }
  for (const auto& [address, object] : input.owned.of(input.document)) {
    const auto field = field_at(address);
    if (!field) continue;
    const auto named = [&](const UnitSpec& spec) {
      return spec.name == field->unit && (field->runtime ? spec.active : spec.enabled).has_value();
    };
    if (std::ranges::none_of(spec_, named)) give_back(*field, object, state, input, proposal);
  }
  return proposal;
}

}  // namespace gpuhost
