#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/host.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// Who has a GPU, one of its functions or one of its vGPUs in use.
struct Holder {
  enum class Type {
    vm,       ///< a domain of the local libvirt; `name` is the domain's
    unit,     ///< a process of a systemd service; `name` is the unit's
    process,  ///< anything else, Proxmox's guests and KubeVirt's pods among them
  };
  Type type = Type::process;
  std::string name;        ///< of domain, unit or program
  std::optional<int> pid;  ///< of the process, where there is one
  std::string remark;      ///< "guest 101 of Proxmox VE", "a pod of Kubernetes"; may be empty
  /// What of the device that was asked for it has: functions by address, vGPUs by UUID.
  std::vector<std::variant<PciAddress, Uuid>> devices;
  bool operator==(const Holder&) const = default;
};

/// "VM train-01 (pid 4711)", for messages.
[[nodiscard]] std::string sentence_of(const Holder& holder);

/// A service that opens every GPU of NVIDIA's driver when it starts, or as soon as the driver has one more,
/// and keeps it open.
struct GpuOpener {
  std::string unit;
  UnitState state;
};

/// Who uses which device. Processes and domains are read once in a look, and domains only of qemu:///system.
class Usage {
 public:
  /// Of the GPU as a whole: itself, virtual functions, companions and vGPUs.
  [[nodiscard]] std::vector<Holder> of(const Gpu& gpu) const;
  /// Of one mediated device.
  [[nodiscard]] std::vector<Holder> of(const MediatedDevice& vgpu) const;
  /// Of a virtual function.
  [[nodiscard]] std::vector<Holder> of(const VirtualFunction& function) const;
  /// Why it cannot be told who uses the devices; nothing: it can.
  [[nodiscard]] const std::optional<Error>& unknown() const { return unknown_; }
  /// Units that hold some GPU.
  [[nodiscard]] std::vector<std::string> units() const;
  /// The services of this host that will hold whatever GPU there is.
  [[nodiscard]] const std::vector<GpuOpener>& openers() const { return openers_; }

 private:
  friend class UsageReader;
  struct Use {
    Holder holder;
    std::vector<PciAddress> functions;
    std::vector<Uuid> vgpus;
  };
  template <class Asked>
  [[nodiscard]] std::vector<Holder> having(Asked asked) const;

  std::vector<Use> uses_;
  std::vector<GpuOpener> openers_;
  std::optional<Error> unknown_;
};

/// Reads it, once in a look; nothing is read on a host without GPUs.
[[nodiscard]] std::shared_ptr<const Usage> usage_of(const HostView& host);

/// Nobody has the GPU now; busy: somebody does, and who. For the moment before it is changed.
[[nodiscard]] Result<void> check_unused(const Gpu& gpu, const HostView& host);

/// Domains of a connection, read once in a look for each connection.
[[nodiscard]] std::shared_ptr<const Result<std::vector<Domain>>> domains_of(const HostView& host,
                                                                            const std::string& connection);
inline constexpr const char* system_connection = "qemu:///system";

/// Domains of qemu:///system by the host devices that their definitions name, whether they run or not.
struct DefinedDevices {
  std::map<std::variant<PciAddress, Uuid>, std::vector<std::string>> domains;
  std::optional<Error> unknown;  ///< why it cannot be told

  [[nodiscard]] const std::vector<std::string>& naming(const std::variant<PciAddress, Uuid>& device) const;
};
/// Reads it, once in a look.
[[nodiscard]] std::shared_ptr<const DefinedDevices> defined_devices_of(const HostView& host);

}  // namespace gpuhost
