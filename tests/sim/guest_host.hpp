#pragma once

#include <string>

#include "host/sim/host_file.hpp"

namespace gpuhost {

inline constexpr const char* qemu = "qemu:///system";
inline constexpr const char* free_mdev = "11111111-2222-4333-8444-555555555501";
inline constexpr const char* other_mdev = "11111111-2222-4333-8444-555555555502";

/// A domain's XML with these elements in <devices>.
inline std::string domain_xml(const std::string& name, const std::string& devices = "") {
  return "<domain type='kvm'>\n  <name>" + name + "</name>\n  <uuid>00000000-0000-4000-8000-0000000000" +
         name.substr(name.size() - 2) + "</uuid>\n  <devices>\n" + devices + "  </devices>\n</domain>\n";
}

inline std::string mdev_element(const std::string& uuid) {
  return "    <hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='" + uuid +
         "'/></source></hostdev>\n";
}

/// A function of slot 00 of bus 41 or another one.
inline std::string pci_element(const std::string& function, const std::string& managed = "no",
                               const std::string& bus = "0x41") {
  return "    <hostdev mode='subsystem' type='pci' managed='" + managed +
         "'><source><address domain='0x0000' bus='" + bus + "' slot='0x00' function='0x" + function +
         "'/></source></hostdev>\n";
}

inline void add_function(HostFile& host, const std::string& address, const std::string& driver,
                         const std::string& group, const std::string& class_code = "0x030000") {
  const std::string directory = "/sys/bus/pci/devices/" + address;
  host.files[directory + "/class"] = HostFile::Text{class_code + "\n"};
  host.files[directory + "/driver_override"] = HostFile::Text{"(null)\n"};
  if (!driver.empty()) host.files[directory + "/driver"] = HostFile::Link{"../../drivers/" + driver};
  if (group.empty()) return;
  host.files[directory + "/iommu_group"] = HostFile::Link{"../../../../kernel/iommu_groups/" + group};
  host.files["/sys/kernel/iommu_groups/" + group + "/devices/" + address] =
      HostFile::Link{"../../../../bus/pci/devices/" + address};
}

inline void add_mdev(HostFile& host, const std::string& uuid, const std::string& group) {
  const std::string directory = "/sys/bus/mdev/devices/" + uuid;
  host.files[directory + "/iommu_group"] = HostFile::Link{"../../../../kernel/iommu_groups/" + group};
}

/// Two GPUs on vfio-pci, the second with an audio function in its IOMMU group; two vGPUs; libvirt without
/// domains.
inline HostFile guest_host() {
  HostFile host;
  host.name = "test";
  add_function(host, "0000:40:01.0", "pcieport", "57", "0x060400");
  add_function(host, "0000:41:00.0", "vfio-pci", "57");
  add_function(host, "0000:42:00.0", "vfio-pci", "58");
  add_function(host, "0000:42:00.1", "vfio-pci", "58", "0x040300");
  add_mdev(host, free_mdev, "90");
  add_mdev(host, other_mdev, "91");
  host.domains[qemu] = {};
  return host;
}

inline HostFile::Domain& add_domain(HostFile& host, const std::string& name,
                                    const std::string& devices = "") {
  auto& domain = host.domains[qemu].domains[name];
  domain.definition = domain_xml(name, devices);
  return domain;
}

}  // namespace gpuhost
