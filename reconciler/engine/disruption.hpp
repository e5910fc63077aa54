#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace gpuhost {

/// What running a step now does to somebody, mildest first. The order is the policy's scale.
enum class Disruption {
  none,
  remove_idle,
  stop_units,
  hot_unplug,
  stop_guests,
  reset_gpu,
  reload_driver,
  reboot,
};

/// The words of the document, in the order of the enumeration.
inline constexpr std::array<std::string_view, 8> disruption_words{
    "none", "remove-idle", "stop-units", "hot-unplug", "stop-guests", "reset-gpu", "reload-driver", "reboot"};

[[nodiscard]] std::string_view to_string(Disruption level);
[[nodiscard]] std::optional<Disruption> parse_disruption(std::string_view word);

}  // namespace gpuhost
