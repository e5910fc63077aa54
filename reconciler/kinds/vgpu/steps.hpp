#pragma once

#include <string>
#include <vector>

#include "engine/step.hpp"
#include "kinds/vgpu/gpu_case.hpp"
#include "kinds/vgpu/placing.hpp"

namespace gpuhost {

/// A vGPU as plans name it.
struct VgpuName {
  std::string gpu;   ///< "left", or its PCI address
  std::string vgpu;  ///< "train/0", or its UUID
  [[nodiscard]] std::string address() const;
};

/// Makes the vGPU, with its parameters; claims it.
[[nodiscard]] Step create_step(const GpuCase& on, const WantedVgpu& vgpu, const Place& place);

/// Takes it away. `named_by`: domains whose definitions name it.
[[nodiscard]] Step remove_step(const VgpuName& name, const Gpu& gpu, const PresentVgpu& vgpu,
                               const std::vector<std::string>& named_by);

/// Sets the parameters that the document wants, and takes away those in `dropped`; leaves all others; claims
/// the vGPU.
[[nodiscard]] Step params_step(const GpuCase& on, const WantedVgpu& vgpu, const PresentVgpu& there,
                               const VgpuParams& now, const std::vector<std::string>& dropped);

/// Only forgets that the document owned it.
[[nodiscard]] Step forget_step(const VgpuName& name, const Uuid& uuid, const std::string& why);

/// What is on record of a vGPU that the document has, and what its finding is held against.
[[nodiscard]] Json record_of(const GpuCase& on, const WantedVgpu& vgpu,
                             const std::optional<PciAddress>& parent, std::optional<unsigned> function);

/// vgpu: the vGPU is not there. Not of gpu_facts: it only orders what is removed before what is made.
[[nodiscard]] Fact absent_fact(const Uuid& vgpu);

}  // namespace gpuhost
