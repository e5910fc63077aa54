#include "host/sim/sim_units.hpp"

#include <fmt/core.h>

#include "host/sim/sim_licences.hpp"

namespace gpuhost {

namespace {

std::unexpected<Error> refused(const char* action, const std::string& unit, std::string_view why) {
  return fail(ErrorKind::unsupported, fmt::format("cannot {} unit {}: {}", action, unit, why));
}

/// A unit that cannot be enabled and is up was started by another one, which does so again.
bool starts_at_boot(const UnitState& state) {
  if (state.load_state != "loaded") return false;
  const auto& file = state.unit_file_state;
  const bool by_others = file == "static" || file == "indirect" || file == "generated";
  return file == "enabled" || (by_others && state.active_state == "active");
}

}  // namespace

std::string usual_sub_state(const std::string& unit, const std::string& active_state) {
  if (active_state == "inactive") return "dead";
  if (active_state != "active") return active_state;
  const auto is = [&](std::string_view suffix) { return unit.ends_with(suffix); };
  if (is(".socket")) return "listening";
  if (is(".timer") || is(".path")) return "waiting";
  if (is(".target")) return "active";
  return "running";
}

std::string usual_load_state(const std::string& unit_file_state) {
  return unit_file_state.starts_with("masked") ? "masked" : "loaded";
}

Result<UnitState> SimUnits::state(const std::string& unit) const {
  if (host_.units_unknown) return std::unexpected(*host_.units_unknown);
  const auto found = host_.units.find(unit);
  if (found == host_.units.end()) return UnitState{"not-found", "inactive", "dead", ""};
  if (found->second.unknown) return std::unexpected(*found->second.unknown);
  return found->second.state;
}

Result<HostFile::Unit*> SimUnits::known(const std::string& unit, const char* action) {
  if (host_.units_unknown) return std::unexpected(*host_.units_unknown);
  const auto found = host_.units.find(unit);
  if (found == host_.units.end() || found->second.state.load_state == "not-found") {
    return fail(ErrorKind::not_found, fmt::format("cannot {} unit {}: there is no such unit", action, unit));
  }
  if (found->second.unknown) return std::unexpected(*found->second.unknown);
  return &found->second;
}

Result<void> SimUnits::start(const std::string& unit, std::chrono::seconds) {
  auto found = known(unit, "start");
  if (!found) return fail(std::move(found));
  auto& state = (*found)->state;
  if (state.load_state != "loaded") return refused("start", unit, "it is " + state.load_state);
  if (state.active_state == "active") return {};
  state.active_state = "active";
  state.sub_state = usual_sub_state(unit, state.active_state);
  if (unit == sim_licence_service) take_licences(host_);
  return {};
}

Result<void> SimUnits::stop(const std::string& unit, std::chrono::seconds limit) {
  auto found = known(unit, "stop");
  if (!found) return fail(std::move(found));
  auto& state = (*found)->state;
  if (state.active_state == "inactive" || state.active_state == "failed") return {};
  if ((*found)->refuses_to_stop) {
    state.active_state = "deactivating";
    state.sub_state = "stop-sigterm";
    clock_.take(limit);
    return fail(ErrorKind::timed_out,
                fmt::format("cannot stop unit {}: still deactivating (stop-sigterm) after {} s", unit,
                            limit.count()));
  }
  state.active_state = "inactive";
  state.sub_state = "dead";
  return {};
}

Result<void> SimUnits::reload(const std::string& unit, std::chrono::seconds) {
  auto found = known(unit, "reload");
  if (!found) return fail(std::move(found));
  if ((*found)->state.active_state != "active") {
    return refused("reload", unit, "it is " + (*found)->state.active_state);
  }
  return {};
}

Result<void> SimUnits::enable(const std::string& unit) {
  auto found = known(unit, "enable");
  if (!found) return fail(std::move(found));
  auto& state = (*found)->state.unit_file_state;
  if (state == "disabled" || state == "enabled-runtime" || state == "indirect" || state == "linked")
    state = "enabled";
  if (state == "enabled" || state == "alias") return {};
  return refused("enable", unit, state.empty() ? "it has no unit file" : "it is " + state);
}

Result<void> SimUnits::disable(const std::string& unit) {
  auto found = known(unit, "disable");
  if (!found) return fail(std::move(found));
  auto& state = (*found)->state.unit_file_state;
  if (state == "enabled" || state == "enabled-runtime") state = "disabled";
  return {};
}

void SimUnits::boot() {
  for (auto& [address, gpu] : host_.machine.gpus) gpu.licensed = false;
  for (auto& [name, unit] : host_.units) {
    if (unit.unknown) continue;
    auto& state = unit.state;
    if (state.unit_file_state == "enabled-runtime") state.unit_file_state = "disabled";
    const bool up = starts_at_boot(state);
    state.active_state = up ? "active" : "inactive";
    state.sub_state = usual_sub_state(name, state.active_state);
    if (up && name == sim_licence_service) take_licences(host_);
  }
}

}  // namespace gpuhost
