#pragma once

namespace gpuhost {

/// Display mode of a GPU that has several (displaymodeselector); automatic: what mode and board need.
enum class DisplayMode { automatic, display_off, display_enabled, graphics, compute };

}  // namespace gpuhost
