#pragma once

#include <optional>
#include <string>
#include <vector>

#include "document/located.hpp"

namespace gpuhost {

/// How a GPU is cut into MIG instances.
struct MigSpec {
  enum class Mode {
    exact,      ///< MIG on, with exactly these instances
    automatic,  ///< what the entry's vGPUs need
    disabled,   ///< MIG off
  };
  struct ComputeInstances {
    std::string profile;  ///< "1c.3g.20gb"
    unsigned count = 1;
  };
  struct GpuInstances {
    std::optional<Located<std::string>> name;
    std::string profile;  ///< "3g.20gb", "1g.10gb+me"
    unsigned count = 1;
    std::vector<unsigned> placement;  ///< first memory slices, one for each; empty: chosen by gpuhost
    /// Nothing: not managed in mode vgpu, one that fills the GPU instance in mode bare-metal.
    std::optional<std::vector<ComputeInstances>> compute;
  };

  Mode mode = Mode::exact;
  std::vector<GpuInstances> instances;
};

}  // namespace gpuhost
