#pragma once

#include "base/result.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_modules.hpp"
#include "host/sim/sim_pci.hpp"
#include "host/sim/sim_units.hpp"

namespace gpuhost {

/// What firmware, boot loader, kernel and systemd do when a host starts again.
/// Sources: kernel-parameters.txt (intel_iommu, amd_iommu, iommu, iommu.passthrough), lab measurements of
/// /sys/class/iommu and of the groups' types with each of them. io: the kernel does not come up.
Result<void> boot(HostFile& host, SimFiles& files, SimPci& pci, SimModules& modules, SimUnits& units);

}  // namespace gpuhost
