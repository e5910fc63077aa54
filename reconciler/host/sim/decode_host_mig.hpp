#pragma once

#include "document/map_reader.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// A switch: on, off, or {current, pending}.
[[nodiscard]] GpuSwitch decode_gpu_switch(const Value& value);

/// The section `mig` of a GPU.
void decode_host_mig(const Value& value, HostFile::Gpu& gpu);

}  // namespace gpuhost
