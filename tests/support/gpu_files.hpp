#pragma once

#include <string>

#include <fmt/format.h>

#include "kinds/fake_host.hpp"

namespace gpuhost::testing {

inline const std::string pci_devices = "/sys/bus/pci/devices/";

/// A PCI function as sysfs shows it.
struct PciFiles {
  std::string address;
  std::string vendor = "0x10de";
  std::string device = "0x20f1";
  std::string pci_class = "0x030200";
  std::string driver = "nvidia";
  int group = 10;  ///< negative: none
};

inline void put_function(FakeHost& host, const PciFiles& function) {
  const auto at = pci_devices + function.address;
  host.files[at + "/vendor"] = function.vendor + "\n";
  host.files[at + "/device"] = function.device + "\n";
  host.files[at + "/class"] = function.pci_class + "\n";
  host.files[at + "/subsystem_vendor"] = "0x10de\n";
  host.files[at + "/subsystem_device"] = "0x145f\n";
  host.files[at + "/driver_override"] = "(null)\n";
  if (!function.driver.empty()) host.links[at + "/driver"] = "../../../bus/pci/drivers/" + function.driver;
  if (function.group < 0) return;
  host.links[at + "/iommu_group"] = fmt::format("../../../kernel/iommu_groups/{}", function.group);
  host.directories.insert(
      fmt::format("/sys/kernel/iommu_groups/{}/devices/{}", function.group, function.address));
}

/// What NVIDIA's driver shows of a GPU it has.
inline void put_driver_information(FakeHost& host, const std::string& address, const std::string& uuid,
                                   unsigned minor) {
  host.files["/proc/driver/nvidia/gpus/" + address + "/information"] =
      fmt::format("Model: \t\t NVIDIA A100-PCIE-40GB\nGPU UUID: \t {}\nDevice Minor: \t {}\n", uuid, minor);
}

/// Virtual functions of `gpu` from `first` on, each in a group of its own from `group` on.
inline void put_virtual_functions(FakeHost& host, const std::string& gpu,
                                  const std::vector<std::string>& them, int group) {
  host.files[pci_devices + gpu + "/sriov_totalvfs"] = fmt::format("{}\n", them.size());
  host.files[pci_devices + gpu + "/sriov_numvfs"] = fmt::format("{}\n", them.size());
  for (std::size_t i = 0; i < them.size(); ++i) {
    put_function(host, {.address = them[i], .group = group + static_cast<int>(i)});
    host.links[pci_devices + them[i] + "/physfn"] = "../" + gpu;
    host.links[fmt::format("{}{}/virtfn{}", pci_devices, gpu, i)] = "../" + them[i];
  }
}

inline void put_mediated_device(FakeHost& host, const std::string& uuid, const std::string& parent,
                                const std::string& type_id, const std::string& type, int group) {
  const std::string at = "/sys/bus/mdev/devices/" + uuid;
  host.links[at] = fmt::format("../../../devices/pci0000:40/0000:40:01.0/{}/{}", parent, uuid);
  host.links[at + "/mdev_type"] = "../mdev_supported_types/" + type_id;
  host.files[at + "/mdev_type/name"] = type + "\n";
  host.links[at + "/iommu_group"] = fmt::format("../../../../kernel/iommu_groups/{}", group);
}

}  // namespace gpuhost::testing
