#pragma once

#include <vector>

#include "base/pci_address.hpp"
#include "catalog/boards.hpp"
#include "host/sim/sim_device_tree.hpp"

namespace gpuhost {

/// A vGPU type under the number that the simulated driver gives it.
struct SimVgpuType {
  unsigned id = 0;
  const catalog::VgpuType* type = nullptr;
};

/// The time-sliced types of a physical GPU, from the catalogue by its PCI ids; none for a board that it does
/// not know.
[[nodiscard]] std::vector<SimVgpuType> vgpu_types_of(const SimDeviceTree& tree, const PciAddress& gpu);

/// How many more vGPUs of a type fit beside those there are, in equal-size mode: all on a physical GPU have
/// the same framebuffer. Source: NVIDIA vGPU software user guide, "Valid Time-Sliced Virtual GPU
/// Configurations on a Single GPU".
[[nodiscard]] unsigned room_for(const catalog::VgpuType& type,
                                const std::vector<const catalog::VgpuType*>& present);

}  // namespace gpuhost
