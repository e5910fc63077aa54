#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_guests.hpp"
#include "host/sim/sim_modules.hpp"

namespace gpuhost {

/// What libvirt and QEMU do about the host devices of a guest. Messages are libvirt's and QEMU's, kinds those
/// of the adapter to libvirt.
/// Sources: libvirt 9.0, src/hypervisor/virhostdev.c, src/util/virpci.c, src/util/virmdev.c; Linux,
/// drivers/vfio/vfio_iommu_type1.c and Documentation/driver-api/vfio.rst (viable groups).
class SimHostDevices {
 public:
  /// `kernel` takes what is written to sysfs, and binds drivers as the kernel does.
  SimHostDevices(const HostFile& host, const SimFiles& files, FileWriter& kernel, SimModules& modules)
      : host_(host), files_(files), kernel_(kernel), modules_(modules) {}

  /// Makes devices ready for the guest of this domain: managed ones are bound to vfio-pci. After a failure
  /// none is. not_found: there is no such device. busy: a guest has it, or it is not bound to vfio-pci.
  /// unsupported: the IOMMU is off. io: another device of its IOMMU group belongs to a host driver.
  Result<void> take(const std::string& guest, const std::vector<HostDevice>& devices);
  /// Managed devices go back to the drivers of the host, unless they were bound to vfio-pci before.
  void give_back(const std::vector<HostDevice>& devices);

 private:
  Result<void> check_free(const std::string& guest, const HostDevice& device) const;
  Result<void> prepare(const HostDevice& device);
  Result<void> bind_to_vfio(const PciAddress& address);
  Result<void> check_viable(const PciAddress& address) const;

  const HostFile& host_;
  const SimFiles& files_;
  FileWriter& kernel_;
  SimModules& modules_;
  std::set<PciAddress> bound_before_;  ///< managed devices that nobody has to give back
};

}  // namespace gpuhost
