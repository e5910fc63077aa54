#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kind.hpp"
#include "host/gpus.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// How the vGPUs of GPUs take turns now, through NVIDIA's driver: while no vGPU is on the GPU. For later
/// loads of the driver the registry key says it, see make_kernel_modules.
///
/// Facts: see gpu_facts::settled.
[[nodiscard]] std::unique_ptr<Kind> make_scheduler(std::vector<ForGpus<VgpuScheduler>> wishes);

inline constexpr const char* scheduler_registry_key = "RmPVMRL";
/// Its value. Source: NVIDIA vGPU user guide, "RmPVMRL Registry Key"; where that and the sections after it
/// print two forms, that of the key's own section.
[[nodiscard]] std::uint32_t rm_pvmrl_of(const VgpuScheduler& scheduler);

}  // namespace gpuhost
