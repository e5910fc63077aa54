#pragma once

#include "host/gpus.hpp"
#include "host/real/nvml/session.hpp"

namespace gpuhost::nvml {

/// How vGPUs take turns. Absent: the GPU has none to order, or the library cannot tell.
[[nodiscard]] Observed<VgpuScheduler> read_scheduler(const Session& session, Device device);

Return write_scheduler(const Library& nvml, Device device, const VgpuScheduler& scheduler);

/// Whether the mixed-size mode is on. Absent: there is none.
[[nodiscard]] Observed<bool> read_mixed_sizes(const Session& session, Device device);

}  // namespace gpuhost::nvml
