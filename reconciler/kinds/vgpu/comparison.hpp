#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/kind.hpp"
#include "kinds/vgpu/gpu_case.hpp"

namespace gpuhost {

/// The GPU that the document wants each vGPU on; nothing: one that is away.
using VgpuHomes = std::map<Uuid, std::optional<PciAddress>>;

/// Holds the vGPUs of one GPU against its list: a finding for each that is wanted, steps for what differs,
/// and what is there and not in the list. Fills on.removed.
void compare_vgpus(GpuCase& on, const PlanInput& input, const VgpuHomes& homes, Proposal& proposal);

/// Gives back a vGPU that no list speaks of any more: it goes, if it is the one that was made. `gpu`: label
/// of the GPU that it is on; empty if it is gone.
void give_back_vgpu(const VgpuState& state, const std::string& gpu, const Uuid& uuid,
                    const Ownership::Object& record, Proposal& proposal);

/// Steps that take the last vGPU from a GPU, or from an instance of it, say so.
void provide_emptiness(const VgpuState& state, Proposal& proposal);

}  // namespace gpuhost
