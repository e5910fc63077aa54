#pragma once

#include <optional>

#include "base/pci_address.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_device_use.hpp"

namespace gpuhost {

/// Shows the nodes that a graphics driver makes of its device: cardN and renderDN, each with the lowest free
/// number. Source: drm_minor_alloc() in drivers/gpu/drm/drm_drv.c.
void show_drm_nodes(SimDeviceTree& tree, const PciAddress& device);
void hide_drm_nodes(SimDeviceTree& tree, const PciAddress& device);
/// Who has one of them open.
[[nodiscard]] std::optional<NodeUse> use_of_drm_nodes(const SimDeviceTree& tree, const NodeUsers& users,
                                                      const PciAddress& device);

}  // namespace gpuhost
