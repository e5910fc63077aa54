#pragma once

#include <string>

#include "host/host.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// Why a GPU cannot be reset alone for the NVSwitches that are there; empty: it can.
/// Source: nvidia-smi documentation, "--gpu-reset": GPUs with NVLink can be reset alone from Ampere on,
/// behind NVSwitches of Ampere only while the fabric manager runs, of later ones always.
[[nodiscard]] std::string obstacle_of_fabric(const Gpu& gpu, const Inventory& inventory,
                                             const HostView& host);

}  // namespace gpuhost
