#include "inventory/gpu_reports.hpp"

namespace gpuhost {

std::shared_ptr<const Result<GpuReports>> gpu_reports_of(const HostView& host) {
  return host.once<Result<GpuReports>>([&] { return host.gpus.gpus(); });
}

}  // namespace gpuhost
