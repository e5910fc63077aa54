#include "catalog/vgpu_placements.hpp"

#include <algorithm>

#include "catalog/tables.hpp"

namespace gpuhost::catalog {

/// Boards of 94 GB have vGPUs of a little less than what they are named by.
unsigned size_in_gb(unsigned framebuffer_mb) {
  constexpr unsigned gigabyte = 1024;
  return (framebuffer_mb + gigabyte / 2) / gigabyte;
}

std::vector<unsigned> placements_of(const Board& board, unsigned size) {
  static const auto all =
      parse_vgpu_placements(vgpu_placements_table).value_or(std::vector<VgpuPlacements>{});
  if (!board.mixed_sizes) return {};
  if (size == board.framebuffer_gb) return {0};
  const auto row = std::ranges::find_if(all, [&](const VgpuPlacements& one) {
    return one.framebuffer_gb == board.framebuffer_gb && one.size == size && one.except != board.architecture;
  });
  return row == all.end() ? std::vector<unsigned>{} : row->starts;
}

}  // namespace gpuhost::catalog
