#pragma once

#include <mutex>

#include "host/gpus.hpp"
#include "host/real/nvml/session.hpp"

namespace gpuhost {

/// The GPUs of this host through NVIDIA's management library. Each call opens the driver and closes it; calls
/// of several threads follow one another.
class NvmlGpus final : public GpuReader, public GpuWriter {
 public:
  explicit NvmlGpus(nvml::Places places = {}) : places_(std::move(places)) {}

  [[nodiscard]] Result<GpuReports> gpus() const override;
  Result<GpuSwitch> set_mig_mode(const PciAddress& gpu, bool on) override;
  Result<GpuSwitch> set_ecc(const PciAddress& gpu, bool on) override;
  Result<void> set_scheduler(const PciAddress& gpu, const VgpuScheduler& scheduler) override;
  Result<void> set_mixed_sizes(const PciAddress& gpu, bool on) override;
  Result<GpuInstance> create_gpu_instance(const PciAddress& gpu, unsigned profile,
                                          MigPlacement placement) override;
  Result<void> destroy_gpu_instance(const PciAddress& gpu, unsigned id) override;
  Result<ComputeInstance> create_compute_instance(const PciAddress& gpu, unsigned gpu_instance,
                                                  unsigned slices) override;
  Result<void> destroy_compute_instance(const PciAddress& gpu, unsigned gpu_instance, unsigned id) override;

 private:
  nvml::Places places_;
  mutable std::mutex one_at_a_time_;
};

}  // namespace gpuhost
