#pragma once

#include "host/gpus.hpp"

namespace gpuhost::testing {

/// NVIDIA's driver is not there.
struct NoGpus final : GpuReader, GpuWriter {
  [[nodiscard]] Result<GpuReports> gpus() const override { return gone(); }
  Result<GpuSwitch> set_mig_mode(const PciAddress&, bool) override { return gone(); }
  Result<GpuSwitch> set_ecc(const PciAddress&, bool) override { return gone(); }
  Result<void> set_scheduler(const PciAddress&, const VgpuScheduler&) override { return gone(); }
  Result<void> set_mixed_sizes(const PciAddress&, bool) override { return gone(); }
  Result<GpuInstance> create_gpu_instance(const PciAddress&, unsigned, MigPlacement) override {
    return gone();
  }
  Result<void> destroy_gpu_instance(const PciAddress&, unsigned) override { return gone(); }
  Result<ComputeInstance> create_compute_instance(const PciAddress&, unsigned, unsigned) override {
    return gone();
  }
  Result<void> destroy_compute_instance(const PciAddress&, unsigned, unsigned) override { return gone(); }

 private:
  static std::unexpected<Error> gone() {
    return fail(ErrorKind::unavailable, "NVIDIA's driver is not loaded");
  }
};

}  // namespace gpuhost::testing
