#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kinds/vgpu/gpu_case.hpp"

namespace gpuhost {

/// How the vGPUs of a GPU in mixed-size mode lie.
struct MixedLayout {
  /// Of each that is wanted, in their order; nothing: the driver chooses, since where its size lies is known
  /// to it alone.
  std::vector<std::optional<unsigned>> placements;
  std::vector<std::string> problems;  ///< why they cannot, each with what would work
};

/// `staying`: those that are there and keep their placements.
[[nodiscard]] MixedLayout mixed_layout(const GpuCase& on, const std::set<Uuid>& staying);

}  // namespace gpuhost
