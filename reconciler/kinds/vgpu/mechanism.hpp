#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "base/uuid.hpp"
#include "host/host.hpp"
#include "inventory/holders.hpp"

namespace gpuhost {

/// How one vGPU is made of what its GPU offers.
class VgpuMechanism {
 public:
  /// What is there.
  struct Made {
    PciAddress parent;
    std::string type;  ///< empty if it cannot be told
  };

  virtual ~VgpuMechanism() = default;
  /// not_found: nothing is there.
  [[nodiscard]] virtual Result<Made> made(const HostView& host) const = 0;
  /// Makes it, if nothing is there, and waits until it is. `type`: its name, or the last word of it.
  virtual Result<void> make(const std::string& type, Host& host) const = 0;
  /// Takes away what is there, and waits until it is gone. A write to a device that a guest has may never
  /// return, so that nobody may have it.
  virtual Result<void> take_away(Host& host) const = 0;
  [[nodiscard]] virtual std::vector<Holder> holders(const HostView& host) const = 0;
  /// Of its parameters, see VgpuParams.
  [[nodiscard]] virtual std::string params_path() const = 0;
};

/// Chosen from sysfs: mediated devices, or the vendor-specific VFIO framework if `parent` is a function that
/// has it.
[[nodiscard]] std::unique_ptr<VgpuMechanism> vgpu_mechanism(const FileReader& files, const Uuid& uuid,
                                                            const std::optional<PciAddress>& parent);

[[nodiscard]] std::unique_ptr<VgpuMechanism> mediated_vgpu(const Uuid& uuid,
                                                           const std::optional<PciAddress>& parent);
[[nodiscard]] std::unique_ptr<VgpuMechanism> vendor_specific_vgpu(const PciAddress& function);

/// Names of vGPU types by number, as NVIDIA's driver and the functions of the GPU tell them. What neither
/// tells is missing.
[[nodiscard]] std::map<unsigned, std::string> vgpu_type_names(const HostView& host, const Gpu& gpu);

}  // namespace gpuhost
