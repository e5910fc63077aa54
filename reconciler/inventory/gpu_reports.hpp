#pragma once

#include <memory>

#include "base/result.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// What NVIDIA's driver tells of its GPUs, asked once in a look.
[[nodiscard]] std::shared_ptr<const Result<GpuReports>> gpu_reports_of(const HostView& host);

}  // namespace gpuhost
