#pragma once

#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"

namespace gpuhost {

/// One GPU as its driver sees it.
struct DriverGpu {
  PciAddress address;
  std::string uuid;    ///< "GPU-…", given by the driver
  std::string serial;  ///< of the board; empty if it has none
  std::string name;    ///< product name
};

/// What only the GPU driver's library can tell. unavailable: the driver is not loaded; denied: needs root.
/// Neither means that there are no GPUs.
class GpuInfo {
 public:
  virtual ~GpuInfo() = default;
  [[nodiscard]] virtual Result<std::vector<DriverGpu>> list() const = 0;
};

}  // namespace gpuhost
