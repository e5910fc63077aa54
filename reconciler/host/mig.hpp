#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/observed.hpp"

namespace gpuhost {

/// A switch of a GPU that takes effect later than it is set: with a reset or the next boot.
struct GpuSwitch {
  bool current = false;
  bool pending = false;  ///< what it is set to
  bool operator==(const GpuSwitch&) const = default;
};

/// A run of slices: memory slices of a GPU for a GPU instance, compute slices of a GPU instance for a compute
/// instance.
struct MigPlacement {
  unsigned start = 0;
  unsigned size = 0;
  [[nodiscard]] bool overlaps(const MigPlacement& other) const noexcept {
    return start < other.start + other.size && other.start < start + size;
  }
  auto operator<=>(const MigPlacement&) const = default;
};

/// What GPU instances a GPU can have, as its driver tells.
struct GpuInstanceProfile {
  unsigned id = 0;              ///< as `nvidia-smi mig -lgip` prints it; it differs from NVML's enumeration
  std::string name;             ///< "3g.20gb", "1g.5gb+me"
  unsigned slices = 0;          ///< compute slices
  unsigned most = 0;            ///< instances of it on an empty GPU
  std::uint64_t memory_mb = 0;  ///< MiB; differs by driver and mode, so compare names
  std::vector<MigPlacement> placements;  ///< where one may lie, by start; of one size
  bool operator==(const GpuInstanceProfile&) const = default;
};

struct ComputeInstance {
  unsigned id = 0;         ///< within its GPU instance
  MigPlacement placement;  ///< compute slices of the GPU instance
  bool operator==(const ComputeInstance&) const = default;
};

struct GpuInstance {
  unsigned id = 0;       ///< within its GPU, until it is destroyed; not kept when it is made anew
  unsigned profile = 0;  ///< GpuInstanceProfile::id
  MigPlacement placement;
  std::vector<ComputeInstance> compute_instances;  ///< by id
  std::vector<int> processes;                      ///< pids of those that compute on it, ascending
  unsigned vgpus = 0;                              ///< vGPUs that run on it
  [[nodiscard]] bool busy() const noexcept { return !processes.empty() || vgpus > 0; }
  bool operator==(const GpuInstance&) const = default;
};

/// A GPU that can be partitioned.
struct Mig {
  GpuSwitch mode;
  /// By id. Absent: the driver tells none while the mode is off.
  Observed<std::vector<GpuInstanceProfile>> profiles;
  /// By id. Absent: the mode is off. Unknown for others than root.
  Observed<std::vector<GpuInstance>> instances;
  bool operator==(const Mig&) const = default;
};

}  // namespace gpuhost
