#pragma once

#include <map>
#include <string>

#include "base/observed.hpp"
#include "host/real/nvml/session.hpp"

namespace gpuhost::nvml {

/// As GpuReport::vgpu_types.
[[nodiscard]] Observed<std::map<unsigned, std::string>> read_vgpu_types(const Session& session,
                                                                        Device device);

}  // namespace gpuhost::nvml
