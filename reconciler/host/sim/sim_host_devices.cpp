#include "host/sim/sim_host_devices.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr const char* vfio_driver = "vfio-pci";
constexpr const char* groups_directory = "/sys/kernel/iommu_groups";
constexpr const char* drivers_probe = "/sys/bus/pci/drivers_probe";

/// Drivers beside which a group can be handed to a guest: VFIO's own, and one that does nothing.
bool leaves_group_viable(std::string_view driver) {
  return driver.empty() || driver == vfio_driver || driver == "pci-stub";
}

bool is_bridge(const SimFiles& files, const PciAddress& address) {
  return files.text(directory_of(address) + "/class").value_or("").starts_with("0x0604");
}

/// A virtual function with a vGPU is a VFIO device of NVIDIA's driver.
bool is_vfio_of_its_driver(const SimFiles& files, const PciAddress& address) {
  const auto type = files.text(directory_of(address) + "/nvidia/current_vgpu_type");
  return type && trim(*type) != "0" && !trim(*type).empty();
}

}  // namespace

Result<void> SimHostDevices::take(const std::string& guest, const std::vector<HostDevice>& devices) {
  for (const auto& device : devices) {
    if (auto free = check_free(guest, device); !free) return free;
  }
  std::vector<HostDevice> prepared;
  const auto undo = [&](Result<void> failed) {
    give_back(prepared);
    return failed;
  };
  for (const auto& device : devices) {
    prepared.push_back(device);
    if (auto done = prepare(device); !done) return undo(std::move(done));
  }
  for (const auto& device : devices) {
    if (!device.is_pci()) continue;
    if (auto viable = check_viable(std::get<PciAddress>(device.device)); !viable)
      return undo(std::move(viable));
  }
  return {};
}

Result<void> SimHostDevices::check_free(const std::string& guest, const HostDevice& device) const {
  const std::string name = to_string(device.device);
  if (!files_.exists(directory_of(device.device)).value_or(false)) {
    if (!device.is_pci())
      return fail(ErrorKind::not_found,
                  fmt::format("device not found: mediated device '{}' not found", name));
    return fail(ErrorKind::not_found,
                fmt::format("Device {} not found: could not access {}/config: No such file or directory",
                            name, directory_of(device.device)));
  }
  const auto group = iommu_group(files_, device.device);
  for (const auto& other : running_guests(host_)) {
    for (const auto& held : guest_devices(*other.domain)) {
      // A guest opens a group as a whole, so that nobody else can.
      const bool taken = held.device == device.device || (device.is_pci() && group && other.name != guest &&
                                                          iommu_group(files_, held.device) == group);
      if (!taken) continue;
      return fail(ErrorKind::busy,
                  fmt::format("Requested operation is not valid: {} {} is in use by driver QEMU, domain {}",
                              device.is_pci() ? "PCI device" : "mediated device", to_string(held.device),
                              other.name));
    }
  }
  return {};
}

Result<void> SimHostDevices::prepare(const HostDevice& device) {
  if (!device.is_pci()) return {};
  const auto& address = std::get<PciAddress>(device.device);
  if (files_.names(groups_directory).empty()) {
    return fail(ErrorKind::unsupported,
                "unsupported configuration: host doesn't support passthrough of host PCI devices");
  }
  const bool on_vfio = bound_driver(files_, address) == vfio_driver;
  if (device.managed) {
    if (!on_vfio) return bind_to_vfio(address);
    bound_before_.insert(address);
    return {};
  }
  if (on_vfio || is_vfio_of_its_driver(files_, address)) return {};
  return fail(
      ErrorKind::busy,
      fmt::format("Requested operation is not valid: Unmanaged PCI device {} must be manually detached "
                  "from the host",
                  address.to_string()));
}

Result<void> SimHostDevices::bind_to_vfio(const PciAddress& address) {
  const std::string name = address.to_string();
  const std::string directory = directory_of(address);
  if (!modules_.load("vfio_pci")) {
    return fail(ErrorKind::io, "internal error: Failed to load PCI driver module vfio-pci");
  }
  if (auto set = kernel_.write_attribute(directory + "/driver_override", vfio_driver); !set) return set;
  if (!bound_driver(files_, address).empty()) {
    if (auto off = kernel_.write_attribute(directory + "/driver/unbind", name); !off) return off;
  }
  if (auto probed = kernel_.write_attribute(drivers_probe, name); !probed) return probed;
  if (bound_driver(files_, address) == vfio_driver) return {};
  return fail(ErrorKind::io,
              fmt::format("internal error: Failed to bind device {} to driver vfio-pci", name));
}

Result<void> SimHostDevices::check_viable(const PciAddress& address) const {
  const auto group = iommu_group(files_, address);
  if (!group) {
    return fail(ErrorKind::io,
                fmt::format("internal error: qemu unexpectedly closed the monitor: vfio {}: no iommu_group "
                            "found: No such file or directory",
                            address.to_string()));
  }
  for (const auto& name : files_.names(fmt::format("{}/{}/devices", groups_directory, *group))) {
    const auto other = PciAddress::parse(name);
    if (!other || *other == address || is_bridge(files_, *other)) continue;
    if (leaves_group_viable(bound_driver(files_, *other)) || is_vfio_of_its_driver(files_, *other)) continue;
    return fail(
        ErrorKind::io,
        fmt::format("internal error: qemu unexpectedly closed the monitor: vfio {}: group {} is not "
                    "viable; Please ensure all devices within the iommu_group are bound to their vfio "
                    "bus driver.",
                    address.to_string(), *group));
  }
  return {};
}

void SimHostDevices::give_back(const std::vector<HostDevice>& devices) {
  for (const auto& device : devices) {
    if (!device.managed || !device.is_pci()) continue;
    const auto& address = std::get<PciAddress>(device.device);
    if (bound_before_.erase(address) > 0) continue;
    const std::string directory = directory_of(address);
    const bool on_vfio = bound_driver(files_, address) == vfio_driver;
    if (!on_vfio && trim(files_.text(directory + "/driver_override").value_or("")) != vfio_driver) continue;
    // libvirt goes on when one of these fails, and leaves the device without driver.
    static_cast<void>(kernel_.write_attribute(directory + "/driver_override", "\n"));
    if (on_vfio)
      static_cast<void>(kernel_.write_attribute(directory + "/driver/unbind", address.to_string()));
    static_cast<void>(kernel_.write_attribute(drivers_probe, address.to_string()));
  }
}

}  // namespace gpuhost
