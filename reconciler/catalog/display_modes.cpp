#include "catalog/display_modes.hpp"

#include <algorithm>
#include <iterator>

#include "catalog/tables.hpp"

namespace gpuhost::catalog {

std::vector<DisplayMode> display_modes_of(const Board& board) {
  static const auto all = parse_display_modes(display_modes_table).value_or(std::vector<DisplayMode>{});
  std::vector<DisplayMode> modes;
  std::ranges::copy_if(all, std::back_inserter(modes),
                       [&](const DisplayMode& mode) { return mode.tool == board.display_tool; });
  return modes;
}

}  // namespace gpuhost::catalog
