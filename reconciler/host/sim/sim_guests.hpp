#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/domain_xml.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// Whether libvirt's daemon answers: one of its units is active, or the host file lists none of them.
[[nodiscard]] bool libvirt_runs(const HostFile& host);

/// XML of the guest that runs or is saved.
[[nodiscard]] const std::string& live_xml(const HostFile::Domain& domain);

/// The host devices of a running guest; none of a domain that is off.
[[nodiscard]] std::vector<HostDevice> guest_devices(const HostFile::Domain& domain);

/// A running guest.
struct SimGuest {
  unsigned id = 0;  ///< a number of its own among all domains of the host
  std::string name;
  const HostFile::Domain* domain = nullptr;
};

/// In order of connection and name. Refers to the host.
[[nodiscard]] std::vector<SimGuest> running_guests(const HostFile& host);

using DeviceName = std::variant<PciAddress, Uuid>;

[[nodiscard]] std::string to_string(const DeviceName& device);
/// /sys/bus/pci/devices/ADDRESS or /sys/bus/mdev/devices/UUID.
[[nodiscard]] std::string directory_of(const DeviceName& device);
/// Number of its IOMMU group; nothing: it has none, or is not there.
[[nodiscard]] std::optional<std::string> iommu_group(const SimFiles& files, const DeviceName& device);
/// Name of the bound driver; empty: none.
[[nodiscard]] std::string bound_driver(const SimFiles& files, const PciAddress& address);

/// The control group in which systemd keeps a guest: "/machine.slice/machine-qemu\x2d1\x2dtrain.scope".
/// Source: libvirt 9.0, src/util/virsystemd.c (escaping) and src/hypervisor/domain_driver.c (machine names).
[[nodiscard]] std::string guest_cgroup(unsigned id, std::string_view name);

/// Whether a control group is that of this guest, whatever its id.
[[nodiscard]] bool is_cgroup_of_guest(std::string_view cgroup, std::string_view name);

}  // namespace gpuhost
