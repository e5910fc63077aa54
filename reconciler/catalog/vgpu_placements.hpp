#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "catalog/boards.hpp"

namespace gpuhost::catalog {

/// Where time-sliced vGPUs of one size lie on GPUs of one size in mixed-size mode. In GB of framebuffer,
/// which placement IDs count: a vGPU takes as many from its placement on as it has. From
/// schema/catalog/vgpu-placements.tsv, which names its public sources.
struct VgpuPlacements {
  unsigned framebuffer_gb = 0;  ///< of the GPU
  unsigned size = 0;            ///< of the vGPU
  std::vector<unsigned> starts;
  std::optional<Architecture> except;  ///< of boards that are not known to have these
};

/// GB of a vGPU's framebuffer, as in the name of its type.
[[nodiscard]] unsigned size_in_gb(unsigned framebuffer_mb);

/// Where vGPUs of so many GB lie on a GPU of the board in mixed-size mode, the lowest first. Empty: only the
/// driver knows.
[[nodiscard]] std::vector<unsigned> placements_of(const Board& board, unsigned size);

}  // namespace gpuhost::catalog
