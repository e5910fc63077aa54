#include <chrono>

#include <fmt/format.h>

#include "kinds/units/kind.hpp"

namespace gpuhost {

namespace {

/// systemd itself gives a unit 90 s to start or stop unless the unit says otherwise (DefaultTimeoutStartSec).
constexpr std::chrono::seconds job_limit{180};

std::string unit_of(const StepAction& action) {
  return action.arguments.value("unit", std::string{});
}

}  // namespace

Result<bool> Units::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == "forget") return true;
  const auto unit = host.units.state(unit_of(action));
  if (!unit) return std::unexpected(unit.error());
  if (action.verb == "start") return is_active(*unit);
  if (action.verb == "stop") return unit->is_inactive();
  if (action.verb == "enable") return is_enabled(*unit);
  return !is_enabled(*unit);
}

Result<std::optional<Undo>> Units::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == "forget") return back;
  const auto unit = host.units.state(unit_of(action));
  if (!unit) return std::unexpected(unit.error());
  if (action.verb == "start" || action.verb == "stop") {
    if (!is_active(*unit) && !unit->is_inactive()) return std::nullopt;  // on its way up or down
    back.action.verb = is_active(*unit) ? "start" : "stop";
  } else {
    back.action.verb = is_enabled(*unit) ? "enable" : "disable";
  }
  return back;
}

Result<void> Units::run(const StepAction& action, Host& host) const {
  const auto unit = unit_of(action);
  if (action.verb == "start") return host.units.start(unit, job_limit);
  if (action.verb == "stop") return host.units.stop(unit, job_limit);
  if (action.verb == "enable") return host.units.enable(unit);
  if (action.verb == "disable") return host.units.disable(unit);
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

}  // namespace gpuhost
