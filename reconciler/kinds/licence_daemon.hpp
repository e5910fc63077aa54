#pragma once

namespace gpuhost {

/// The licence daemon, which comes with the drivers for guests and for licensed bare metal, and its unit.
inline constexpr const char* licence_daemon = "/usr/bin/nvidia-gridd";
inline constexpr const char* licence_service = "nvidia-gridd.service";

}  // namespace gpuhost
