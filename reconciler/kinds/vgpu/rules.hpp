#pragma once

#include <string>
#include <vector>

#include "kinds/vgpu/gpu_case.hpp"

namespace gpuhost {

/// Why no vGPU can be made on the GPU, or not these together; each with what would work.
[[nodiscard]] std::vector<std::string> obstacles_on(const GpuCase& on);

/// Why the vGPU of this type cannot be made there; each with what would work. `position`: among all that are
/// wanted on the GPU.
[[nodiscard]] std::vector<std::string> obstacles_to(const GpuCase& on, const WantedVgpu& vgpu,
                                                    std::size_t position);

}  // namespace gpuhost
