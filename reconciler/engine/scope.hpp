#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace gpuhost {

/// Where what a kind manages is kept, and so what a boot does to it.
enum class Stage {
  configuration,  ///< outlives a boot
  devices,        ///< lost at a boot; made through sysfs and NVML, before guests start
  guests,         ///< libvirt's domains
};

/// Which stages a run is about. What lies outside is neither compared nor changed; what is true of it still
/// counts for what needs it.
enum class Scope {
  all,
  runtime,  ///< devices and guests: what a boot has lost
  devices,  ///< devices alone: for the time before libvirt and the system bus are up
};

/// The words of the command line, in the order of the enumeration.
inline constexpr std::array<std::string_view, 3> scope_words{"all", "runtime", "devices"};

[[nodiscard]] std::string_view to_string(Scope scope);
[[nodiscard]] std::optional<Scope> parse_scope(std::string_view word);
[[nodiscard]] bool contains(Scope scope, Stage stage);

}  // namespace gpuhost
