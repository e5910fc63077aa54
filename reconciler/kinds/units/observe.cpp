#include <array>
#include <set>

#include <fmt/format.h>

#include "inventory/holders.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/units/kind.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view subject_prefix = "unit/";

/// What runs guests and drives GPUs on such a host; they may hold what other kinds must change.
constexpr std::array gpu_host_units{
    "libvirtd.service",
    "virtqemud.service",
    "nvidia-vgpud.service",
    "nvidia-vgpu-mgr.service",
    "nvidia-fabricmanager.service",
    "nvidia-gridd.service",
    "nvidia-persistenced.service",
    "nvidia-dcgm.service",
};

/// "libvirtd.service" from "units[libvirtd.service].state".
std::string unit_at(const std::string& address) {
  const auto open = address.find('[');
  const auto close = address.rfind(']');
  if (!address.starts_with("units[") || close == std::string::npos) return {};
  return address.substr(open + 1, close - open - 1);
}

bool is_there(const Result<UnitState>& unit) {
  return unit && unit->load_state != "not-found";
}

}  // namespace

std::unique_ptr<Kind> make_units(std::vector<UnitSpec> spec) {
  return std::make_unique<Units>(std::move(spec));
}

bool is_active(const UnitState& unit) {
  return unit.active_state == "active" || unit.active_state == "reloading";
}

bool is_enabled(const UnitState& unit) {
  return unit.unit_file_state == "enabled";
}

UnitsState Units::look(const HostView& host) const {
  UnitsState state{.units = {}, .running = host.running};
  if (!host.running) return state;
  std::set<std::string> wanted;
  for (const auto& spec : spec_) wanted.insert(spec.name);
  if (const auto owned = Ownership::load(host.files))
    for (const auto& address : owned->addresses())
      if (auto unit = unit_at(address); !unit.empty()) wanted.insert(std::move(unit));
  const auto usage = usage_of(host);
  for (auto& holder : usage->units()) wanted.insert(std::move(holder));
  for (const auto& opener : usage->openers()) state.units.emplace(opener.unit, opener.state);
  for (const auto& name : wanted)
    if (!state.units.contains(name)) state.units.emplace(name, host.units.state(name));
  for (const auto* name : gpu_host_units)
    if (auto unit = host.units.state(name); is_there(unit)) state.units.emplace(name, std::move(unit));
  return state;
}

Json UnitsState::describe() const {
  if (!running) return {{"not_applicable", "no systemd runs under --root"}};
  Json shown = Json::object();
  for (const auto& [name, unit] : units)
    shown[name] = unit ? Json{{"load", unit->load_state},
                              {"active", unit->active_state},
                              {"sub", unit->sub_state},
                              {"enabled", unit->unit_file_state}}
                       : unknown_json(unit.error());
  return shown;
}

std::optional<Truth> Units::holds_in(const Fact& fact, const UnitsState& state) const {
  if (!fact.subject.starts_with(subject_prefix)) return std::nullopt;
  const auto found = state.units.find(fact.subject.substr(subject_prefix.size()));
  if (found == state.units.end()) return Truth::unknown("the unit was not looked at");
  if (!found->second) return Truth::unknown(found->second.error().message);
  if (fact == there(found->first)) return Truth::of(is_there(found->second));
  return Truth::of(fact.state == "active" ? is_active(*found->second) : (*found->second).is_inactive());
}

Fact there(const std::string& unit) {
  return {std::string(subject_prefix) + unit, "there"};
}

std::string Units::obstacle_in(const Fact& fact, const UnitsState&) const {
  if (!fact.subject.starts_with(subject_prefix)) return {};
  const auto unit = fact.subject.substr(subject_prefix.size());
  return fact == there(unit) ? fmt::format("unit {} is not there: install what brings it", unit)
                             : std::string{};
}

std::string Units::advice(const Fact& fact) const {
  if (!fact.subject.starts_with(subject_prefix)) return {};
  return fmt::format("add units.\"{}\": {{state: {}}}", fact.subject.substr(subject_prefix.size()),
                     fact.state);
}

std::vector<Offer> Units::offer_from(const Fact& fact, const UnitsState& state, const PlanInput&) const {
  if (!fact.subject.starts_with(subject_prefix) || fact.state != "inactive") return {};
  const auto name = fact.subject.substr(subject_prefix.size());
  const auto found = state.units.find(name);
  if (found == state.units.end() || !found->second || (*found->second).is_inactive()) return {};
  return {Offer{.needs = {}, .acquire = unit_step("stop", name), .release = unit_step("start", name)}};
}

}  // namespace gpuhost
