#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "catalog/boards.hpp"

namespace gpuhost::catalog {

/// What a GPU can be to the host. From schema/catalog/display-modes.tsv, which names its public sources.
struct DisplayMode {
  std::string_view tool;             ///< that switches to it: "gpumodeswitch", "displaymodeselector"
  std::string_view mode;             ///< as documents name it: "graphics", "display-off"
  std::string_view argument;         ///< as the tool does
  std::uint16_t class_code = 0;      ///< PCI class in this mode: 0x0300, 0x0302
  std::optional<unsigned> bar1_mib;  ///< size of BAR 1 in this mode; nothing: it differs from board to board
  bool vgpus = false;                ///< vGPUs can be made in this mode
};

/// Those of a board, one that is switched to by the tool before others of the same name; none: it has no
/// switch, or is not known to have one.
[[nodiscard]] std::vector<DisplayMode> display_modes_of(const Board& board);

}  // namespace gpuhost::catalog
