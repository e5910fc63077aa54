#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "engine/ownership.hpp"
#include "host/domain_xml.hpp"
#include "inventory/inventory.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/vm_binding/vm_binding.hpp"

namespace gpuhost::vm_binding {

using Device = std::variant<PciAddress, Uuid>;

/// "0000:61:00.0" or a UUID.
[[nodiscard]] std::string to_string(const Device& device);
[[nodiscard]] std::optional<Device> parse_device(std::string_view text);
/// [{"gpu": "0000:61:00.0"}, {"vgpu": UUID}]: as in plans, arguments and records.
[[nodiscard]] Json json_of(const std::set<Device>& devices);
/// The devices of such a list; what is none is left out.
[[nodiscard]] std::set<Device> devices_in(const Json& list);
[[nodiscard]] std::string element_of(const Device& device);
/// The domain's host device; null: it does not have it.
[[nodiscard]] const HostDevice* find_device(const DomainXml& xml, const Device& device);

/// The devices of elements, each of which stands for itself.
[[nodiscard]] std::vector<HostDevice> devices_of(const std::vector<std::string>& elements);
/// The strings of a list; others are left out.
[[nodiscard]] std::vector<std::string> texts_in(const Json& list);

/// What is known of host devices: which are NVIDIA's, and which ones a document means by its names.
class DeviceTable {
 public:
  DeviceTable(const Inventory& inventory, const std::vector<NamedDevices>& named, const Result<Uuid>& space,
              const Ownership& owned);

  /// Whether the device is a GPU, one of its functions or companions, or a vGPU: one that exists, that a
  /// document has made, or that this one names. A UUID that is none of these may be anything.
  [[nodiscard]] bool is_nvidias(const Device& device) const;
  /// The NVIDIA devices among those of a domain.
  [[nodiscard]] std::set<Device> of(const DomainXml& xml) const;

  /// What a domain is to have.
  struct Wanted {
    std::set<Device> devices;
    /// A GPU is absent, as its entry allows: what it means cannot be told.
    std::string absent;
    /// Why it cannot be told, if that is not allowed; the kind gpus refuses then.
    std::string problem;
    /// A reference means none of the GPUs that its entry matches, or no single one: which ones there are.
    std::string mistake;
    [[nodiscard]] bool is_known() const { return absent.empty() && problem.empty() && mistake.empty(); }
  };
  [[nodiscard]] Wanted wanted(const std::vector<VmSpec::Device>& devices) const;

  /// What must be true when a guest with the device starts; nothing for devices that libvirt or others see
  /// to: `managed` ones and those that are not NVIDIA's.
  [[nodiscard]] std::optional<Fact> needed_by(const Device& device, bool managed) const;

 private:
  struct Named {
    const NamedDevices* entry = nullptr;
    Selection selection;
  };
  /// The GPU that a reference means, with its entry; null: none.
  struct Found {
    const SelectedGpu* gpu = nullptr;
    const NamedDevices* entry = nullptr;
  };
  [[nodiscard]] Found find(std::string_view reference) const;
  void add(const VmSpec::Device& device, Wanted& wanted) const;
  void add_gpu(const std::string& reference, Wanted& wanted) const;
  void add_vgpu(const std::string& reference, Wanted& wanted) const;
  void cannot_tell(const std::string& gpu, Wanted& wanted) const;

  const Inventory& inventory_;
  const Result<Uuid>& space_;
  std::vector<Named> named_;
  std::set<Uuid> vgpus_;  ///< that this document names, or any document owns
};

}  // namespace gpuhost::vm_binding
