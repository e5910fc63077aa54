#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/commands.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_device_use.hpp"
#include "host/sim/sim_mdev.hpp"
#include "host/sim/sim_modprobe.hpp"
#include "host/sim/sim_vendor_vfio.hpp"

namespace gpuhost {

/// NVIDIA's driver on a simulated host: what it shows of the GPUs it has, the virtual functions it makes, and
/// what vGPUs are made of. Not for several threads.
class SimNvidia {
 public:
  SimNvidia(HostFile& host, SimDeviceTree& tree, SimMdev& mdev, SimVendorVfio& vendor, NodeUsers users)
      : host_(host), tree_(tree), mdev_(mdev), vendor_(vendor), users_(std::move(users)) {}

  /// The module came, with its version or without; and went.
  void loaded(const std::string& version, const std::vector<SimModprobe::Option>& options);
  void unloaded();
  /// The module `vgpu_manager` came, with which vGPUs can be made; and went.
  void manager_loaded();
  void manager_unloaded();

  [[nodiscard]] bool has_manager() const;
  /// Whether some vGPU is on the GPU, in use or not.
  [[nodiscard]] bool has_vgpus(const PciAddress& gpu) const;

  /// Whether it takes the device: not a virtual function that does not come up.
  [[nodiscard]] bool accepts(const PciAddress& device) const;
  /// The device was bound to it.
  void bound(const PciAddress& device);
  /// The device is taken from it: its vGPUs and virtual functions are gone.
  void unbound(const PciAddress& device);
  /// Who has the device open, so that it cannot be taken from the driver.
  [[nodiscard]] std::optional<NodeUse> use_of_device(const PciAddress& device) const;

  /// /usr/lib/nvidia/sriov-manage -e|-d ADDRESS|ALL. timed_out: it would never come back.
  Result<CommandResult> sriov_manage(const std::vector<std::string>& arguments);

  /// A GPU was partitioned anew: what vGPUs can be made of it has changed.
  void partitioned(const PciAddress& gpu);
  /// The vGPUs on an instance of a GPU, each with whether a guest has it.
  [[nodiscard]] std::vector<bool> uses_on_instance(const PciAddress& gpu, unsigned instance) const;

  /// The kernel has something to tell; what was late may appear with it.
  void device_event();

 private:
  CommandResult enable_functions(const PciAddress& gpu);
  Result<CommandResult> disable_functions(const PciAddress& gpu);
  void remove_functions(const PciAddress& gpu);
  /// The driver let go of the GPU, if only for a moment.
  void lose_what_the_driver_keeps(const PciAddress& gpu);
  [[nodiscard]] const HostFile::Gpu* gpu_of(const PciAddress& device) const;
  [[nodiscard]] bool is_in_vgpu_mode(const PciAddress& gpu) const;
  [[nodiscard]] std::optional<NodeUse> use_of_gpu_node(const PciAddress& gpu) const;
  [[nodiscard]] std::string free_minor() const;
  void show_information(const PciAddress& gpu);
  /// Shows it where the device can have vGPUs and their manager is there.
  void show_vgpu_interface(const PciAddress& device);
  void hide_vgpu_interface(const PciAddress& device);
  [[nodiscard]] bool lacks_vgpu_interface(const PciAddress& function) const;

  HostFile& host_;
  SimDeviceTree& tree_;
  SimMdev& mdev_;
  SimVendorVfio& vendor_;
  NodeUsers users_;
  std::map<PciAddress, unsigned>
      events_;  ///< since a GPU got its virtual functions, while it waits for types
};

inline constexpr const char* nvidia_driver = "nvidia";
inline constexpr const char* vgpu_manager = "nvidia_vgpu_vfio";

}  // namespace gpuhost
