#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// Error correction of a GPU's memory.
struct EccSpec {
  bool enabled = true;
};

/// What an entry wants of it, and what of the entry bears on it.
struct EccWish {
  bool enabled = true;
  bool for_vgpus = false;               ///< the GPU is, or may be, in use for vGPUs
  bool with_driver = false;             ///< NVIDIA's driver has the GPU in the end, as its mode says
  std::vector<std::string> vgpu_types;  ///< of the vGPUs that the entry lists
};

/// The ECC mode of GPUs. A reset of the GPU puts it in force where that hits nobody and loses nothing, else
/// the next boot.
///
/// Facts: see gpu_facts::settled; and its own, "gpu/ADDRESS" "with ECC on" and "with ECC off".
[[nodiscard]] std::unique_ptr<Kind> make_ecc(std::vector<ForGpus<EccWish>> wishes, Omitted omitted);

}  // namespace gpuhost
