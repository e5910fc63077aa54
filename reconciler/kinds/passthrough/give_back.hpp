#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "inventory/holders.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// What giving back drivers rests on.
struct FormerDrivers {
  const std::vector<GpuEntry>& entries;
  const Inventory& inventory;
  const Usage& usage;
  const DefinedDevices& defined;
  const std::set<std::string>& drivers;  ///< PCI drivers that are there
  const std::set<PciAddress>& wanted;    ///< GPUs whose driver the document still names
};

/// GPUs that the document names no more go back to the drivers they had, if they are the same and idle; else
/// only the record goes, and a note says why.
void give_back_drivers(const FormerDrivers& former, const PlanInput& input, Proposal& proposal);

}  // namespace gpuhost
