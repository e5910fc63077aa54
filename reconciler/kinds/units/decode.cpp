#include "kinds/units/decode.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

constexpr std::size_t longest_unit_name = 255;  // systemd.unit(5)

/// Services behind systemctl's verbs that end or suspend the system: systemd.special(7),
/// systemd-suspend.service(8).
constexpr std::array<std::string_view, 15> ends_the_system{"emergency",
                                                           "halt",
                                                           "kexec",
                                                           "poweroff",
                                                           "reboot",
                                                           "rescue",
                                                           "systemd-exit",
                                                           "systemd-halt",
                                                           "systemd-hibernate",
                                                           "systemd-hybrid-sleep",
                                                           "systemd-kexec",
                                                           "systemd-poweroff",
                                                           "systemd-reboot",
                                                           "systemd-soft-reboot",
                                                           "systemd-suspend"};

bool has_managed_type(std::string_view name) {
  constexpr std::array<std::string_view, 4> suffixes{".service", ".socket", ".timer", ".path"};
  return std::ranges::any_of(suffixes, [&](auto suffix) { return name.ends_with(suffix); });
}

/// systemd.unit(5): letters, digits and :-_.\ with at most one @; a template (nothing after the @) is no
/// unit.
bool is_unit_name(std::string_view name) {
  if (name.size() > longest_unit_name || !has_managed_type(name)) return false;
  const auto stem = name.substr(0, name.rfind('.'));
  return formats::is_word(stem, ":-_.\\@") && std::ranges::count(stem, '@') <= 1 && !stem.starts_with('@') &&
         !stem.ends_with('@');
}

bool is_own(std::string_view name) {
  return name.starts_with("gpuhost-") || name.starts_with("gpuhost.") || name.starts_with("gpuhost@");
}

/// systemd-suspend-then-hibernate and the like begin as a listed one does.
bool ends_system(std::string_view name) {
  const auto stem = name.substr(0, name.rfind('.'));
  return std::ranges::find(ends_the_system, stem) != ends_the_system.end() ||
         stem.starts_with("systemd-suspend-");
}

bool check_name(const NamedValue& unit) {
  if (!is_unit_name(unit.name)) {
    unit.key.report(messages::malformed,
                    fmt::format("'{}' is not the name of a unit that can be managed", unit.name),
                    "service, socket, timer and path units can, written in full: nvidia-vgpu-mgr.service");
    return false;
  }
  if (is_own(unit.name)) {
    unit.key.report(messages::refused_unit, fmt::format("{} is gpuhost's own", unit.name),
                    "enable it with systemctl; a document cannot change gpuhost itself");
    return false;
  }
  if (ends_system(unit.name)) {
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
