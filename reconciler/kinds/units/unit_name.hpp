#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace gpuhost {

/// Which units may be managed. A document asks it of a name, and so does what a record says.
namespace unit_name {

inline constexpr std::size_t longest_unit_name = 255;  // systemd.unit(5)

/// Services behind systemctl's verbs that end or suspend the system: systemd.special(7),
/// systemd-suspend.service(8).
inline constexpr std::array<std::string_view, 15> ending_services{"emergency",
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

[[nodiscard]] inline bool has_managed_type(std::string_view name) {
  constexpr std::array<std::string_view, 4> suffixes{".service", ".socket", ".timer", ".path"};
  return std::ranges::any_of(suffixes, [&](auto suffix) { return name.ends_with(suffix); });
}

[[nodiscard]] inline bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").contains(c);
}

/// A service, socket, timer or path unit. systemd.unit(5): letters, digits and :-_.\ with at most one @; a
/// template (nothing after the @) is no unit.
[[nodiscard]] inline bool is_manageable(std::string_view name) {
  if (name.size() > longest_unit_name || !has_managed_type(name)) return false;
  const auto stem = name.substr(0, name.rfind('.'));
  return !stem.empty() && std::ranges::all_of(stem, is_name_character) &&
         std::ranges::count(stem, '@') <= 1 && !stem.starts_with('@') && !stem.ends_with('@');
}

/// One of gpuhost's own.
[[nodiscard]] inline bool is_own(std::string_view name) {
  return name.starts_with("gpuhost-") || name.starts_with("gpuhost.") || name.starts_with("gpuhost@");
}

/// systemd-suspend-then-hibernate and the like begin as a listed one does.
[[nodiscard]] inline bool ends_the_system(std::string_view name) {
  const auto stem = name.substr(0, name.rfind('.'));
  return std::ranges::find(ending_services, stem) != ending_services.end() ||
         stem.starts_with("systemd-suspend-");
}

}  // namespace unit_name

}  // namespace gpuhost
