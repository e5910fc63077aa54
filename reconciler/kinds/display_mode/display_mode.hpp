#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "document/gpu_entry.hpp"
#include "engine/kind.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// What a GPU with a switch for it is to the host; automatic: what mode and board need.
enum class DisplayMode { automatic, display_off, display_enabled, graphics, compute };

struct DisplayWish {
  DisplayMode mode = DisplayMode::automatic;
  std::optional<GpuMode> use;
};

/// The display mode of boards that have several: which, and what switches them, stands in the catalogue. A
/// new mode is in force from the next boot on.
///
/// Facts: see gpu_facts::fit_for_vgpus; and its own, "gpu/ADDRESS" "in mode MODE".
[[nodiscard]] std::unique_ptr<Kind> make_display_mode(std::vector<ForGpus<DisplayWish>> wishes,
                                                      Omitted omitted);

}  // namespace gpuhost
