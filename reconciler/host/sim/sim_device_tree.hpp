#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// PCI devices, their drivers and IOMMU groups as sysfs shows them. The files are all there is: nothing is
/// kept beside them. Shows what it is told, and knows no rule of who may bind what. Not for several threads.
class SimDeviceTree {
 public:
  explicit SimDeviceTree(SimFiles& files) : files_(files) {}

  [[nodiscard]] SimFiles& files() const { return files_; }

  [[nodiscard]] std::vector<PciAddress> devices() const;
  /// Where the device really lies; nothing: there is none.
  [[nodiscard]] std::optional<std::string> directory_of(const PciAddress& device) const;
  /// The device whose directory this is.
  [[nodiscard]] std::optional<PciAddress> device_at(const std::string& directory) const;
  /// A number in a file of the device: "vendor", "sriov_totalvfs"; nothing if it is not there.
  [[nodiscard]] std::optional<std::uint64_t> number(const PciAddress& device, std::string_view file) const;

  /// Empty: none.
  [[nodiscard]] std::string driver_of(const PciAddress& device) const;
  [[nodiscard]] bool has_driver(const std::string& driver) const;
  void add_driver(const std::string& driver);
  void remove_driver(const std::string& driver);
  void bind(const PciAddress& device, const std::string& driver);
  void unbind(const PciAddress& device);

  /// Empty: any driver that matches.
  [[nodiscard]] std::string driver_override(const PciAddress& device) const;
  void set_driver_override(const PciAddress& device, const std::string& driver);

  /// The physical function of a virtual one.
  [[nodiscard]] std::optional<PciAddress> physical_function_of(const PciAddress& device) const;
  /// By index.
  [[nodiscard]] std::vector<PciAddress> virtual_functions_of(const PciAddress& device) const;
  /// A new virtual function beside its physical one, without driver.
  void add_virtual_function(const PciAddress& physical, unsigned index, const PciAddress& address);
  /// With all that is below it, its IOMMU group and the links to it.
  void remove_device(const PciAddress& device);

  [[nodiscard]] bool iommu_is_on() const;
  /// Of a device by its directory; nothing: none.
  [[nodiscard]] std::optional<unsigned> group_of(const std::string& directory) const;
  /// Puts a device by its directory into a group of its own.
  void add_group(const std::string& directory, std::string_view type);
  /// Takes a device by its directory from its group; one without devices is gone.
  void leave_group(const std::string& directory);
  /// The device's group can be opened.
  void show_vfio_node(const std::string& directory);
  /// It cannot any more, unless another device of it is bound to vfio-pci.
  void hide_vfio_node(const std::string& directory);

 private:
  SimFiles& files_;
};

inline constexpr const char* sim_pci_devices = "/sys/bus/pci/devices";
inline constexpr const char* sim_pci_drivers = "/sys/bus/pci/drivers";
inline constexpr const char* vfio_pci_driver = "vfio-pci";
inline constexpr const char* sim_iommu_groups = "/sys/kernel/iommu_groups";

/// The address so many routing identifiers later: virtual functions follow one another over function, device
/// and bus. Source: PCI Express Base Specification, SR-IOV, "VF Stride".
[[nodiscard]] PciAddress following(const PciAddress& first, unsigned steps);
/// "/dev/vfio/57".
[[nodiscard]] std::string vfio_node(unsigned group);
/// What a link in a real directory to another path says, both under /sys: it climbs to /sys first, as those
/// of the kernel between devices, buses and classes do.
[[nodiscard]] std::string sysfs_link(const std::string& directory, const std::string& target);
/// The part of a path after the last `/`.
[[nodiscard]] std::string last_part(std::string_view path);

}  // namespace gpuhost
