#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// What one entry of a document says of the sizes of its GPUs' vGPUs, and what bears on it.
struct SizesWish {
  std::optional<bool> mixed;    ///< nothing: it is left as it is
  bool turns_mig_off = false;   ///< the entry says that MIG is off
  bool sets_scheduler = false;  ///< the entry says how vGPUs take turns
};

/// Whether vGPUs of several framebuffer sizes may share a GPU (NVIDIA's mixed-size or heterogeneous mode). It
/// is set while no vGPU is on the GPU, and goes with its virtual functions, its driver and a reset.
///
/// Facts: see gpu_facts::vgpu_sizes and without_mixed_sizes.
[[nodiscard]] std::unique_ptr<Kind> make_sizes(std::vector<ForGpus<SizesWish>> wishes);

}  // namespace gpuhost
