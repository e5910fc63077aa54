#include "kinds/units/decode.hpp"

#include <array>

#include <fmt/format.h>

#include "document/messages.hpp"
#include "kinds/units/unit_name.hpp"

namespace gpuhost {

namespace {

bool check_name(const NamedValue& unit) {
  if (!unit_name::is_manageable(unit.name)) {
    unit.key.report(messages::malformed,
                    fmt::format("'{}' is not the name of a unit that can be managed", unit.name),
                    "service, socket, timer and path units can, written in full: nvidia-vgpu-mgr.service");
    return false;
  }
  if (unit_name::is_own(unit.name)) {
    unit.key.report(messages::refused_unit, fmt::format("{} is gpuhost's own", unit.name),
                    "enable it with systemctl; a document cannot change gpuhost itself");
    return false;
  }
  if (unit_name::ends_the_system(unit.name)) {
    unit.key.report(messages::refused_unit,
                    fmt::format("{} stops, restarts or suspends the system", unit.name),
                    "set policy.disruption to reboot and apply with --reboot where a change needs one");
    return false;
  }
  return true;
}

}  // namespace

std::vector<UnitSpec> decode_units(MapReader& document) {
  constexpr std::array<Word<bool>, 2> states{{{"active", true}, {"inactive", false}}};
  std::vector<UnitSpec> specs;
  for (const auto& unit : document.at("units").entries().value_or(std::vector<NamedValue>{})) {
    MapReader reader = unit.value.mapping();
    UnitSpec spec{.name = unit.name,
                  .enabled = reader.at("enabled").boolean(),
                  .active = reader.at("state").word<bool>(states)};
    if (check_name(unit)) specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace gpuhost
