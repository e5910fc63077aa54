#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "kinds/vgpu/vgpu.hpp"

namespace gpuhost {

/// One vGPU that the document wants on one GPU.
struct WantedVgpu {
  std::string name;  ///< "train/0"
  Uuid uuid;
  const VgpuSpec::Vgpus* spec = nullptr;
  std::optional<unsigned> function;        ///< index of the virtual function, where the document says one
  std::optional<unsigned> placement = {};  ///< where the document says one
};

/// Whether the entry says which vGPUs there are: it lists them, or its mode lets the GPU have none.
[[nodiscard]] bool lists_vgpus(const ForGpus<VgpuSpec>& entry);

/// In the order of the document. `gpu`: SelectedGpu::name.
[[nodiscard]] std::vector<WantedVgpu> wanted_vgpus(const VgpuSpec& spec, const std::string& gpu,
                                                   const Uuid& space);

}  // namespace gpuhost
