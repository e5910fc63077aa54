#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/module_events.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_device_use.hpp"
#include "host/sim/sim_nvidia.hpp"

namespace gpuhost {

/// Which driver has which PCI device on a simulated host. Not for several threads.
/// Sources: Linux Documentation/ABI/testing/sysfs-bus-pci (driver_override, bind, unbind, drivers_probe),
/// drivers/base/bus.c, drivers/base/dd.c, drivers/pci/pci-driver.c, drivers/pci/iov.c.
class SimPci final : public ModuleEvents {
 public:
  SimPci(HostFile& host, SimDeviceTree& tree, SimNvidia& nvidia, NodeUsers users);

  [[nodiscard]] unsigned uses(const std::string& module) const override;
  void loaded(const std::string& module, const SimModprobe& config) override;
  void unloaded(const std::string& module) override;

  /// A write to an attribute of a PCI device or driver, by its real path; nothing: it is none of those that
  /// the bus or the driver answers.
  std::optional<Result<void>> write(const std::string& path, std::string_view text);

  /// The host goes down, and boards that are out are taken out: no driver has a device, nothing that drivers
  /// made is left, and any driver may bind.
  void power_off();
  /// Devices meet the drivers of which the host file lists no module.
  void power_on();

 private:
  std::optional<Result<void>> write_to_device(const PciAddress& device, std::string_view file,
                                              const std::string& path, std::string_view text);
  Result<void> bind_by_hand(const std::string& driver, const std::string& path, std::string_view text);
  Result<void> unbind_by_hand(const std::string& driver, const std::string& path, std::string_view text);
  Result<void> probe_by_hand(const std::string& path, std::string_view text);
  Result<void> override_driver(const PciAddress& device, const std::string& path, std::string_view text);

  [[nodiscard]] std::optional<PciAddress> device_named(std::string_view text) const;
  [[nodiscard]] std::vector<std::string> modules_for(const PciAddress& device) const;
  [[nodiscard]] bool is_known(const PciAddress& device) const;
  [[nodiscard]] bool matches(const std::string& driver, const PciAddress& device) const;
  [[nodiscard]] bool is_named_by_ids(const PciAddress& device) const;
  [[nodiscard]] bool is_available(const std::string& driver) const;
  [[nodiscard]] std::optional<NodeUse> use_of_device(const PciAddress& device) const;
  [[nodiscard]] bool makes_drm_nodes(const PciAddress& device) const;
  /// Binds, unless the driver's own probe refuses the device.
  bool attach(const std::string& driver, const PciAddress& device);
  void detach(const PciAddress& device);
  /// What the bus does with a device without driver.
  void probe(const PciAddress& device);
  void take_out(const PciAddress& gpu);

  HostFile& host_;
  SimDeviceTree& tree_;
  SimNvidia& nvidia_;
  NodeUsers users_;
  std::vector<std::string> vfio_ids_;  ///< of the option `ids` that the loaded vfio-pci was given
};

}  // namespace gpuhost
