#pragma once

#include <memory>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// What happens to the audio and other functions of a board whose GPU is passed through.
struct PassthroughSpec {
  enum class Companions {
    bind,    ///< to vfio-pci, with the GPU
    attach,  ///< also to the virtual machine
  };
  Companions companions = Companions::bind;
};

/// The driver of each GPU, as its mode needs it: vfio-pci for passthrough, for it and all of its IOMMU group;
/// nvidia for the others. Entries without a mode are left out.
///
/// Facts: see gpu_facts::bound.
[[nodiscard]] std::unique_ptr<Kind> make_passthrough(std::vector<GpuEntry> entries);

}  // namespace gpuhost
