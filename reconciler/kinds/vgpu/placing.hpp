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
  std::optional<PciAddress> parent;  ///< nothing: not there yet, or none (see problem)
  std::optional<unsigned> function;  ///< nothing: on the GPU itself
  std::string problem;               ///< why there is no place, with what would work; empty: there is one
};

/// A place for each of `missing`, in their order. On a GPU with virtual functions: the one that the document
/// says; else the one that it had; else the lowest that is free. So an edit elsewhere in the list moves none.
/// `kept`: vGPUs that stay where they are. `owned`: what the document owns.
[[nodiscard]] std::vector<Place> places_for(const GpuCase& on, const std::vector<const WantedVgpu*>& missing,
                                            const std::vector<const MediatedDevice*>& kept,
                                            const Ownership::Objects& owned);

}  // namespace gpuhost
