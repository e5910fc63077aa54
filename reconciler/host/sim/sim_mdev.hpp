#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_device_use.hpp"
#include "host/sim/sim_vgpu_types.hpp"

namespace gpuhost {

/// Mediated devices of a simulated host, and what the kernel shows of them. A parent is a GPU, or a virtual
/// function, which has room for one. Not for several threads.
/// Sources: Linux Documentation/driver-api/vfio-mediated-device.rst, drivers/vfio/mdev/mdev_sysfs.c.
class SimMdev {
 public:
  SimMdev(SimDeviceTree& tree, const SimVgpuTypes& types, NodeUsers users)
      : tree_(tree), types_(types), users_(std::move(users)) {}

  /// The driver offers its types on the device.
  void register_parent(const PciAddress& parent);
  /// The driver withdraws them; what was made of them is gone.
  void unregister_parent(const PciAddress& parent);
  [[nodiscard]] bool is_parent(const PciAddress& device) const;
  [[nodiscard]] bool has_devices(const PciAddress& parent) const { return !devices_on(parent).empty(); }
  /// Who has one of the parent's mediated devices open.
  [[nodiscard]] std::optional<NodeUse> use_on(const PciAddress& parent) const;
  /// Counts anew what can still be made on a physical GPU.
  void refresh(const PciAddress& gpu);
  /// As SimVendorVfio::uses_on_instance.
  [[nodiscard]] std::vector<bool> uses_on_instance(const PciAddress& gpu, unsigned instance) const;

  /// A write to an attribute of a parent's types or of a mediated device, by its real path; nothing: it is
  /// none of these.
  std::optional<Result<void>> write(const std::string& path, std::string_view text);

 private:
  using Types = std::vector<SimVgpuType>;
  using Present = SimVgpuTypes::Present;

  Result<void> create(const PciAddress& parent, const std::string& type, const std::string& path,
                      std::string_view text);
  Result<void> remove(const std::string& device, const std::string& path, std::string_view text);
  Result<void> set_parameters(const std::string& device, const std::string& path, std::string_view text);

  void erase(const std::string& device);
  [[nodiscard]] std::vector<std::string> devices_on(const PciAddress& parent) const;
  [[nodiscard]] std::vector<PciAddress> parents_on(const PciAddress& gpu) const;
  /// How many more can be made of a type, by its directory on a parent.
  [[nodiscard]] unsigned room_in(const PciAddress& parent, const std::string& directory) const;
  /// By a directory with the type's name; null: none of these.
  [[nodiscard]] const catalog::VgpuType* type_in(const std::string& directory, const Types& types) const;
  /// How many more of a type, null for an unknown one, beside `present`, which is to outlive it.
  [[nodiscard]] std::function<unsigned(const catalog::VgpuType*)> counted_room(const PciAddress& parent,
                                                                               const Present& present) const;
  /// One of them; nothing: its type is not known.
  [[nodiscard]] std::optional<SimVgpu> vgpu_at(const std::string& device, const Types& types) const;
  [[nodiscard]] Present vgpus_on(const PciAddress& gpu, const Types& types) const;
  void show_room(const PciAddress& parent, const Types& types, const Present& present);
  SimDeviceTree& tree_;
  const SimVgpuTypes& types_;
  NodeUsers users_;
};

}  // namespace gpuhost
