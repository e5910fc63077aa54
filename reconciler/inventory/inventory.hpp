#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/observed.hpp"
#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// A PCI function, as far as GPUs and what lies beside them need it. From /sys/bus/pci/devices/ADDRESS.
struct PciFunction {
  PciAddress address;
  std::uint16_t vendor_id = 0;
  std::uint16_t device_id = 0;
  std::uint16_t subsystem_vendor_id = 0;
  std::uint16_t subsystem_device_id = 0;
  std::uint32_t class_code = 0;         ///< 0x030000 VGA, 0x030200 3D controller, 0x040300 audio …
  std::string driver;                   ///< bound driver; empty: none
  std::string driver_override;          ///< the one driver that may bind it; empty: any that matches
  std::optional<unsigned> iommu_group;  ///< nothing: the IOMMU is off
  /// Why something of it cannot be told, as its driver or its virtual functions; nothing: all can.
  std::optional<Error> unreadable;

  /// "10de:20b0/10de:134f", as selectors write it.
  [[nodiscard]] std::string pci_id() const;
};

/// What vGPUs are made of. Source: NVIDIA Virtual GPU Software User Guide, "Installing and Configuring the
/// NVIDIA Virtual GPU Manager": mediated devices before Linux 6.8, the vendor-specific VFIO framework from it
/// on. Sysfs tells which.
enum class VgpuFramework {
  none,  ///< nothing is offered there, or not yet
  mediated,
  vendor_specific,
};

/// An SR-IOV virtual function of a GPU.
struct VirtualFunction {
  unsigned index = 0;  ///< N of the link virtfnN
  PciAddress address;
  std::string driver;  ///< empty: none
  std::optional<unsigned> iommu_group;
  VgpuFramework framework = VgpuFramework::none;
  /// Vendor-specific framework: the number of the vGPU type that it has; 0: it is no vGPU. Numbers mean
  /// nothing beyond the driver that is loaded.
  unsigned vgpu_type = 0;
  std::optional<unsigned> gpu_instance;  ///< as MediatedDevice::gpu_instance
};

/// A mediated device, whoever made it. From /sys/bus/mdev/devices.
struct MediatedDevice {
  Uuid uuid;
  PciAddress parent;    ///< of a GPU or of one of its virtual functions
  std::string type_id;  ///< "nvidia-468"; not stable over driver versions
  std::string type;     ///< "GRID A100-4C"; empty if it cannot be read
  std::optional<unsigned> iommu_group;
  std::optional<unsigned> gpu_instance;  ///< id of the MIG instance that it is on, where the driver says one
};

/// A physical GPU: an NVIDIA display function that is no virtual function.
struct Gpu : PciFunction {
  /// The host's console is on it (boot_display, or boot_vga of a VGA controller); absent: the kernel does not
  /// say, as with 3D controllers of older kernels. Source: Linux drivers/pci/pci-sysfs.c.
  Observed<bool> boot_display;
  /// Virtual functions it can have; absent: no SR-IOV.
  Observed<unsigned> total_functions;
  std::vector<VirtualFunction> functions;  ///< those it has, by index
  /// Other functions of its slot: audio, USB, serial bus controllers.
  std::vector<PciFunction> companions;
  /// What else lies in its IOMMU group, bridges left out: it must be bound to VFIO or to nothing with it.
  std::vector<PciFunction> group_neighbours;
  std::vector<MediatedDevice> mediated_devices;  ///< on it and its virtual functions, by UUID
  /// "GPU-…": from NVIDIA's driver (/proc/driver/nvidia/gpus), or gpuhost's identity record.
  std::optional<std::string> uuid;
  std::optional<std::string> serial;     ///< of the board, from the identity record
  std::optional<unsigned> device_minor;  ///< N of /dev/nvidiaN while NVIDIA's driver has it
  std::vector<std::string> drm_nodes;    ///< names under /dev/dri: "card1", "renderD129"
  std::optional<std::string> slot;       ///< name of the physical slot, where firmware gives slots one

  [[nodiscard]] const VirtualFunction* function_at(const PciAddress& address) const;
  /// Whether the address is its own, or that of a virtual function or companion of it.
  [[nodiscard]] bool has(const PciAddress& address) const;
  /// Whether some vGPU is on it, whatever it is made of.
  [[nodiscard]] bool has_vgpus() const;
};

/// A GPU that was seen before, from gpuhost's identity record.
struct KnownGpu {
  PciAddress address;
  std::string pci_id;  ///< as PciFunction::pci_id()
  std::optional<std::string> uuid;
  std::optional<std::string> serial;
  bool operator==(const KnownGpu&) const = default;
};

/// All GPUs of the host and what lies beside them.
struct Inventory {
  std::vector<Gpu> gpus;               ///< by address
  std::vector<PciAddress> nvswitches;  ///< of the fabric that ties GPUs to one another
  std::vector<KnownGpu> known;         ///< seen before, by address; one that is not in `gpus` is absent now
  std::optional<Error> record_error;   ///< why the identity record cannot be used

  [[nodiscard]] const Gpu* find(const PciAddress& address) const;
  /// The GPU that the address belongs to: itself, a virtual function or a companion of it.
  [[nodiscard]] const Gpu* owner_of(const PciAddress& address) const;
  [[nodiscard]] const MediatedDevice* find(const Uuid& uuid) const;
  /// The GPU that carries the mediated device.
  [[nodiscard]] const Gpu* owner_of(const Uuid& uuid) const;
};

/// Reads one mediated device. not_found: it is not there.
[[nodiscard]] Result<MediatedDevice> read_mediated_device(const FileReader& files, const Uuid& uuid);

/// Reads it, once in a look. not_found: the host has no PCI bus. Other errors: it cannot be told which GPUs
/// or vGPUs there are.
[[nodiscard]] std::shared_ptr<const Result<Inventory>> inventory_of(const HostView& host);

}  // namespace gpuhost
