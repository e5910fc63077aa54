#pragma once

#include "base/observed.hpp"
#include "host/real/nvml/session.hpp"

namespace gpuhost::nvml {

/// As GpuReport::workstation_licensed. Unknown with a library that is older than the question.
[[nodiscard]] Observed<bool> read_workstation_licensed(const Session& session, Device device);

}  // namespace gpuhost::nvml
