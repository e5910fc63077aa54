#pragma once

#include "document/map_reader.hpp"
#include "kinds/vgpu/vgpu.hpp"

namespace gpuhost {

/// Claims `vgpus`, `sizes` and `scheduler` of an entry of `gpus`.
[[nodiscard]] VgpuSpec decode_vgpu(MapReader& gpu);

}  // namespace gpuhost
