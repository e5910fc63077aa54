#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_device_use.hpp"
#include "host/sim/sim_vgpu_types.hpp"

namespace gpuhost {

/// vGPUs of kernels from 6.8 on: each virtual function has a directory nvidia/ in which it gets its type, and
/// is the guest's device itself. Not for several threads.
/// Sources: NVIDIA AI Enterprise vGPU user guide, section 2.9; github.com/proxmox/qemu-server
/// src/PVE/QemuServer/PCI/Mdev.pm; a capture in github.com/harvester/pcidevices pkg/util/gpuhelper/testdata.
class SimVendorVfio {
 public:
  SimVendorVfio(SimDeviceTree& tree, const SimVgpuTypes& types, NodeUsers users)
      : tree_(tree), types_(types), users_(std::move(users)) {}

  void show(const PciAddress& function);
  /// A vGPU on it is gone.
  void hide(const PciAddress& function);
  [[nodiscard]] bool is_shown(const PciAddress& function) const;
  [[nodiscard]] bool has_vgpu(const PciAddress& function) const { return current_type(function) != 0; }
  [[nodiscard]] std::optional<NodeUse> use_of_function(const PciAddress& function) const;
  /// Lists anew what can still be made on a physical GPU.
  void refresh(const PciAddress& gpu);
  /// The vGPUs on an instance of a physical GPU, each with whether a guest has it.
  [[nodiscard]] std::vector<bool> uses_on_instance(const PciAddress& gpu, unsigned instance) const;

  /// A write to a file of such a directory, by its real path; nothing: it is none.
  std::optional<Result<void>> write(const std::string& path, std::string_view text);

 private:
  using Types = std::vector<SimVgpuType>;
  using Present = SimVgpuTypes::Present;

  Result<void> set_type(const PciAddress& function, const std::string& path, std::string_view text);
  [[nodiscard]] unsigned current_type(const PciAddress& function) const;
  Result<void> set_parameters(const PciAddress& function, const std::string& path, std::string_view text);
  /// Nothing: it is none, or its type is not known.
  [[nodiscard]] std::optional<SimVgpu> vgpu_on(const PciAddress& function, const Types& types) const;
  [[nodiscard]] Present vgpus_on(const PciAddress& gpu, const Types& types) const;
  void show_place(const PciAddress& function, unsigned type);
  void list_creatable(const PciAddress& function, const Types& types, const Present& present);
  SimDeviceTree& tree_;
  const SimVgpuTypes& types_;
  NodeUsers users_;
};

}  // namespace gpuhost
