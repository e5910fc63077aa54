#pragma once

#include <vector>

#include "host/mig.hpp"
#include "host/real/nvml/session.hpp"

namespace gpuhost::nvml {

/// How a GPU is partitioned. Absent: it cannot be.
[[nodiscard]] Observed<Mig> read_mig(const Session& session, Device device);

/// unsupported: the MIG mode is off, and this driver tells none then. Others than root may be denied.
[[nodiscard]] Result<std::vector<GpuInstanceProfile>> read_profiles(const Session& session, Device device);

[[nodiscard]] Result<std::vector<GpuInstance>> read_instances(
    const Session& session, Device device, const std::vector<GpuInstanceProfile>& profiles);

/// Compute instances of a GPU instance, by id.
[[nodiscard]] Result<std::vector<ComputeInstance>> read_compute_instances(const Session& session,
                                                                          GpuInstanceHandle instance);

/// The profiles of compute instances of so many slices that the GPU instance may have, by id.
[[nodiscard]] Result<std::vector<unsigned>> compute_profiles_of(const Session& session,
                                                                GpuInstanceHandle instance, unsigned slices);

/// A profile as nvidia-smi names it, for a library that does not tell: `kind` is its place in NVML's
/// enumeration, `total_bytes` the memory of the GPU.
[[nodiscard]] std::string profile_name(unsigned kind, unsigned slices, std::uint64_t memory_mb,
                                       std::uint64_t total_bytes);

}  // namespace gpuhost::nvml
