#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/ownership.hpp"
#include "kinds/vgpu/gpu_case.hpp"

namespace gpuhost {

/// Where a vGPU is to be made.
struct Place {
  std::optional<PciAddress> parent;        ///< nothing: not there yet, or none (see problem)
  std::optional<unsigned> function;        ///< nothing: on the GPU itself
  std::optional<unsigned> placement = {};  ///< in mixed-size mode; nothing: the driver chooses
  std::string problem;  ///< why there is no place, with what would work; empty: there is one
};

/// A place for each vGPU that is wanted on the GPU, in their order. `owned`: what is on record of all
/// documents.
[[nodiscard]] std::vector<Place> places_for(const GpuCase& on, const Ownership& owned);

}  // namespace gpuhost
