#pragma once

#include <map>
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
/// [{"gpu": "0000:61:00.0"}, {"vgpu": UUID}]: as in arguments.
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
  /// `vendor_kernel`: see has_vendor_kernel.
  DeviceTable(const Inventory& inventory, const std::vector<NamedDevices>& named, const Result<Uuid>& space,
              const Ownership& owned, bool vendor_kernel);

  /// As `json_of`, with a function that is a vGPU as one: in plans and records.
  [[nodiscard]] Json shown(const std::set<Device>& devices) const;

  /// Whether the device is a GPU, one of its functions or companions, or a vGPU: one that exists, that a
  /// document has made, or that this one names. A UUID that is none of these may be anything.
  [[nodiscard]] bool is_nvidias(const Device& device) const;
  /// The NVIDIA devices among those of a domain.
  [[nodiscard]] std::set<Device> of(const DomainXml& xml) const;

  /// What a domain is to have.
  struct Wanted {
    std::set<Device> devices;
    /// vGPUs on virtual functions that are not there yet, and have no address, by name: "left/train/0".
    std::map<std::string, Uuid> to_come;
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
  void place_vgpus(const NamedDevices& entry, const SelectedGpu& selected, const Ownership& owned);
  void add_gpu(const std::string& reference, Wanted& wanted) const;
  void add_vgpu(const std::string& reference, Wanted& wanted) const;
  void cannot_tell(const std::string& gpu, Wanted& wanted) const;

  const Inventory& inventory_;
  const Result<Uuid>& space_;
  std::vector<Named> named_;
  std::set<Uuid> vgpus_;  ///< that this document names, or any document owns
  /// The functions that vGPUs of this document are, or are to be; nothing: not there yet.
  std::map<Uuid, std::optional<PciAddress>> functions_;
  std::map<PciAddress, Uuid> vgpu_on_;  ///< the same, from the function
  std::set<PciAddress> recorded_;       ///< functions on which documents have made vGPUs
};

}  // namespace gpuhost::vm_binding
