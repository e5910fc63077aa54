#include "inventory/inventory.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/list_or_none.hpp"
#include "inventory/identity.hpp"

namespace gpuhost {

namespace {

constexpr const char* devices_directory = "/sys/bus/pci/devices";
constexpr const char* mdev_directory = "/sys/bus/mdev/devices";
constexpr const char* slots_directory = "/sys/bus/pci/slots";
constexpr std::uint16_t nvidia_vendor = 0x10de;
constexpr std::uint32_t display_class = 0x03;
/// "Bridge, other", as NVSwitches are in `lspci -nn` of HGX hosts.
constexpr std::uint32_t switch_class = 0x0680;
/// Bridges that do not count in a group: the kernel leaves them to itself. Source: Linux
/// Documentation/driver-api/vfio.rst, "group … viability".
constexpr std::uint32_t host_bridge = 0x0600;
constexpr std::uint32_t pci_bridge = 0x0604;
/// Numbers of virtual functions are 16 bits wide. Source: PCI Express Base Specification, "NumVFs".
constexpr std::uint64_t most_functions = 65535;

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// What is asked of one PCI function's folder. It keeps why something could not be read: what is not there
/// is no failure.
class DeviceFolder {
 public:
  DeviceFolder(const FileReader& files, const PciAddress& address)
      : files_(files), path_(fmt::format("{}/{}", devices_directory, address.to_string())) {}

  [[nodiscard]] Result<std::uint64_t> number(const char* attribute) const {
    const auto text = noted(files_.read(at(attribute)));
    if (!text) return std::unexpected(text.error());
    const auto value = parse_unsigned(trim(*text));
    if (!value) return fail(ErrorKind::invalid, fmt::format("{} is no number", at(attribute)));
    return *value;
  }
  template <class Number>
  [[nodiscard]] Number number_or_zero(const char* attribute) const {
    return static_cast<Number>(number(attribute).value_or(0));
  }
  [[nodiscard]] std::string text_or_empty(const char* attribute) const {
    return noted(files_.read(at(attribute))).value_or("");
  }
  [[nodiscard]] std::vector<std::string> names(const char* folder) const {
    return noted(files_.list(at(folder))).value_or(std::vector<std::string>{});
  }
  [[nodiscard]] bool has(const char* name) const { return noted(files_.exists(at(name))).value_or(false); }
  /// The last part of where a link points; empty: there is none.
  [[nodiscard]] std::string linked(const std::string& link) const {
    const auto target = noted(files_.link_target(at(link)));
    return target ? std::string(last_part(*target)) : std::string{};
  }
  [[nodiscard]] std::optional<unsigned> iommu_group() const {
    const auto number = parse_unsigned(linked("iommu_group"));
    return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
  }
  [[nodiscard]] std::string at(std::string_view name) const { return fmt::format("{}/{}", path_, name); }
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  template <class T>
  Result<T> noted(Result<T> read) const {
    if (!read && read.error().kind != ErrorKind::not_found) failure_ = read.error();
    return read;
  }

  const FileReader& files_;
  std::string path_;
  mutable std::optional<Error> failure_;
};

PciFunction read_ids(const DeviceFolder& folder, const PciAddress& address) {
  PciFunction function{.address = address};
  function.vendor_id = folder.number_or_zero<std::uint16_t>("vendor");
  function.device_id = folder.number_or_zero<std::uint16_t>("device");
  function.subsystem_vendor_id = folder.number_or_zero<std::uint16_t>("subsystem_vendor");
  function.subsystem_device_id = folder.number_or_zero<std::uint16_t>("subsystem_device");
  function.class_code = folder.number_or_zero<std::uint32_t>("class");
  return function;
}

PciFunction read_function(const DeviceFolder& folder, const PciAddress& address) {
  auto function = read_ids(folder, address);
  function.driver = folder.linked("driver");
  const auto text = folder.text_or_empty("driver_override");
  const auto overriding = trim(text);
  if (overriding != "(null)") function.driver_override = overriding;  // how the kernel writes "none"
  function.iommu_group = folder.iommu_group();
  function.unreadable = folder.failure();
  return function;
}

/// boot_display speaks of every display device, boot_vga of VGA controllers only.
Observed<bool> read_boot_display(const DeviceFolder& folder) {
  for (const char* attribute : {"boot_display", "boot_vga"}) {
    const auto number = folder.number(attribute);
    if (number) return *number != 0;
    if (number.error().kind != ErrorKind::not_found) return Observed<bool>::unknown(number.error().message);
  }
  return Observed<bool>::absent();
}

/// The instance of a vGPU; what is no number is none: the driver has no other word for it.
std::optional<unsigned> read_gpu_instance(const FileReader& files, const std::string& path) {
  const auto text = files.read(path);
  const auto id = text ? parse_unsigned(trim(*text)) : std::nullopt;
  return id ? std::optional(static_cast<unsigned>(*id)) : std::nullopt;
}

/// Source: NVIDIA Virtual GPU Software User Guide, "Creating an NVIDIA vGPU on a Linux with KVM Hypervisor"
/// and "… that Uses a Vendor-Specific VFIO Framework".
void read_vgpu_interface(const FileReader& files, const DeviceFolder& folder, VirtualFunction& function) {
  const auto type = folder.number("nvidia/current_vgpu_type");
  if (type) {
    function.framework = VgpuFramework::vendor_specific;
    function.vgpu_type = static_cast<unsigned>(*type);
    if (*type != 0) function.gpu_instance = read_gpu_instance(files, folder.at("nvidia/gpu_instance_id"));
  } else if (folder.has("mdev_supported_types")) {
    function.framework = VgpuFramework::mediated;
  }
}

void read_virtual_functions(const FileReader& files, const DeviceFolder& folder, Gpu& gpu) {
  const auto count = folder.number_or_zero<std::uint64_t>("sriov_numvfs");
  for (unsigned index = 0; index < std::min(count, most_functions); ++index) {
    const auto address = PciAddress::parse(folder.linked(fmt::format("virtfn{}", index)));
    if (!address) continue;
    const DeviceFolder function(files, *address);
    auto driver = function.linked("driver");
    gpu.functions.push_back({index, *address, std::move(driver), function.iommu_group()});
    read_vgpu_interface(files, function, gpu.functions.back());
    if (function.failure()) gpu.unreadable = function.failure();
  }
}

/// What NVIDIA's driver says of a GPU that it has. Source: /proc/driver/nvidia/gpus/ADDRESS/information, as
/// described in the README of NVIDIA's Linux driver, "Using the /proc File System Interface".
void read_driver_information(const FileReader& files, Gpu& gpu) {
  const auto text =
      files.read(fmt::format("/proc/driver/nvidia/gpus/{}/information", gpu.address.to_string()));
  if (!text) return;
  for (const auto line : lines(*text)) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = trim(line.substr(0, colon));
    const auto value = trim(line.substr(colon + 1));
    // Question marks until somebody has opened the GPU for the first time.
    if (key == "GPU UUID" && !value.contains('?')) gpu.uuid = std::string(value);
    if (key == "Device Minor")
      if (const auto minor = parse_unsigned(value)) gpu.device_minor = static_cast<unsigned>(*minor);
  }
}

/// Reads a host's GPUs, group by group and link by link.
class Reader {
 public:
  explicit Reader(const FileReader& files) : files_(files) {}

  Result<Inventory> read() {
    const auto names = files_.list(devices_directory);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names)
      if (const auto address = PciAddress::parse(name)) addresses_.push_back(*address);
    std::ranges::sort(addresses_);
    for (const auto& address : addresses_)
      if (auto read = read_device(address); !read)
        return std::unexpected(std::move(read).error().within("cannot tell which GPUs there are"));
    if (auto read = read_mediated_devices(); !read)
      return std::unexpected(std::move(read).error().within("cannot tell which vGPUs there are"));
    read_slots();
    read_record();
    return std::move(inventory_);
  }

 private:
  Result<void> read_device(const PciAddress& address) {
    const DeviceFolder folder(files_, address);
    const bool is_nvidias = folder.number_or_zero<std::uint16_t>("vendor") == nvidia_vendor;
    const auto type = is_nvidias ? read_ids(folder, address).class_code : 0;
    const bool is_display = type >> 16 == display_class;
    const bool is_virtual = is_display && !folder.linked("physfn").empty();
    if (folder.failure()) return std::unexpected(*folder.failure());
    if (type >> 8 == switch_class) inventory_.nvswitches.push_back(address);
    if (is_display && !is_virtual) inventory_.gpus.push_back(read_gpu(address));
    return {};
  }

  Gpu read_gpu(const PciAddress& address) {
    const DeviceFolder folder(files_, address);
    Gpu gpu{read_function(folder, address)};
    gpu.boot_display = read_boot_display({files_, address});
    if (const auto total = folder.number("sriov_totalvfs"))
      gpu.total_functions = static_cast<unsigned>(*total);
    else if (total.error().kind != ErrorKind::not_found)
      gpu.total_functions = Observed<unsigned>::unknown(total.error().message);
    if (!gpu.total_functions.is_absent()) read_virtual_functions(files_, folder, gpu);
    for (const auto& node : folder.names("drm"))
      if (node.starts_with("card") || node.starts_with("renderD")) gpu.drm_nodes.push_back(node);
    if (folder.failure()) gpu.unreadable = folder.failure();
    read_companions(gpu);
    read_group(gpu);
    read_driver_information(files_, gpu);
    return gpu;
  }

  void read_companions(Gpu& gpu) {
    const auto same_slot = [&](const PciAddress& other) {
      return other.domain == gpu.address.domain && other.bus == gpu.address.bus &&
             other.device == gpu.address.device && other != gpu.address;
    };
    for (const auto& address : addresses_)
      if (const DeviceFolder folder(files_, address); same_slot(address) && folder.linked("physfn").empty())
        gpu.companions.push_back(read_function(folder, address));
  }

  void read_group(Gpu& gpu) {
    if (!gpu.iommu_group) return;
    const auto members = files_.list(fmt::format("/sys/kernel/iommu_groups/{}/devices", *gpu.iommu_group));
    if (!members && members.error().kind != ErrorKind::not_found) gpu.unreadable = members.error();
    for (const auto& name : members.value_or(std::vector<std::string>{})) {
      const auto address = PciAddress::parse(name);
      if (!address || *address == gpu.address || gpu.function_at(*address) != nullptr ||
          std::ranges::find(gpu.companions, *address, &PciFunction::address) != gpu.companions.end())
        continue;
      auto neighbour = read_function({files_, *address}, *address);
      const auto type = neighbour.class_code >> 8;
      if (type != host_bridge && type != pci_bridge) gpu.group_neighbours.push_back(std::move(neighbour));
    }
  }

  Result<void> read_mediated_devices() {
    const auto names = list_or_none(files_, mdev_directory);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
      const auto uuid = Uuid::parse(name);
      if (!uuid) continue;
      auto device = read_mediated_device(files_, *uuid);
      if (!device && device.error().kind != ErrorKind::not_found) return std::unexpected(device.error());
      auto* gpu = device ? gpu_of(device->parent) : nullptr;
      if (gpu != nullptr) gpu->mediated_devices.push_back(*std::move(device));
    }
    for (auto& gpu : inventory_.gpus) std::ranges::sort(gpu.mediated_devices, {}, &MediatedDevice::uuid);
    return {};
  }

  /// "0000:41:00" in the file `address` of a slot names all functions at once.
  void read_slots() {
    if (inventory_.gpus.empty()) return;
    std::map<std::string, std::string> slots;
    for (const auto& name : files_.list(slots_directory).value_or(std::vector<std::string>{}))
      if (const auto at = files_.read(fmt::format("{}/{}/address", slots_directory, name)))
        slots.emplace(trim(*at), name);
    for (auto& gpu : inventory_.gpus) {
      const auto address = gpu.address.to_string();
      if (const auto slot = slots.find(address.substr(0, address.rfind('.'))); slot != slots.end())
        gpu.slot = slot->second;
    }
  }

  /// The record tells the UUID of a GPU that its driver does not show, if it is the same board still.
  void read_record() {
    auto known = identity_record::load(files_);
    if (!known) {
      inventory_.record_error = known.error();
      return;
    }
    inventory_.known = *std::move(known);
    for (auto& gpu : inventory_.gpus) {
      const auto record = std::ranges::find(inventory_.known, gpu.address, &KnownGpu::address);
      if (record == inventory_.known.end() || record->pci_id != gpu.pci_id() ||
          (gpu.uuid && gpu.uuid != record->uuid))
        continue;
      gpu.uuid = record->uuid;
      gpu.serial = record->serial;
    }
  }

  Gpu* gpu_of(const PciAddress& address) {
    const auto owner = std::ranges::find_if(inventory_.gpus, [&](const Gpu& gpu) {
      return gpu.address == address || gpu.function_at(address) != nullptr;
    });
    return owner == inventory_.gpus.end() ? nullptr : &*owner;
  }

  const FileReader& files_;
  std::vector<PciAddress> addresses_;
  Inventory inventory_;
};

}  // namespace

std::string PciFunction::pci_id() const {
  return fmt::format("{:04x}:{:04x}/{:04x}:{:04x}", vendor_id, device_id, subsystem_vendor_id,
                     subsystem_device_id);
}

const VirtualFunction* Gpu::function_at(const PciAddress& wanted) const {
  const auto found = std::ranges::find(functions, wanted, &VirtualFunction::address);
  return found == functions.end() ? nullptr : &*found;
}

bool Gpu::has(const PciAddress& wanted) const {
  return address == wanted || function_at(wanted) != nullptr ||
         std::ranges::find(companions, wanted, &PciFunction::address) != companions.end();
}

bool Gpu::has_vgpus() const {
  return !mediated_devices.empty() ||
         std::ranges::any_of(functions, [](const VirtualFunction& one) { return one.vgpu_type != 0; });
}

const Gpu* Inventory::find(const PciAddress& address) const {
  const auto found = std::ranges::find(gpus, address, &Gpu::address);
  return found == gpus.end() ? nullptr : &*found;
}

const Gpu* Inventory::owner_of(const PciAddress& address) const {
  const auto owner = std::ranges::find_if(gpus, [&](const Gpu& gpu) { return gpu.has(address); });
  return owner == gpus.end() ? nullptr : &*owner;
}

const Gpu* Inventory::owner_of(const Uuid& uuid) const {
  const auto owner = std::ranges::find_if(gpus, [&](const Gpu& gpu) {
    return std::ranges::find(gpu.mediated_devices, uuid, &MediatedDevice::uuid) != gpu.mediated_devices.end();
  });
  return owner == gpus.end() ? nullptr : &*owner;
}

const MediatedDevice* Inventory::find(const Uuid& uuid) const {
  const auto* gpu = owner_of(uuid);
  return gpu ? &*std::ranges::find(gpu->mediated_devices, uuid, &MediatedDevice::uuid) : nullptr;
}

Result<MediatedDevice> read_mediated_device(const FileReader& files, const Uuid& uuid) {
  const auto path = fmt::format("{}/{}", mdev_directory, uuid.to_string());
  const auto target = files.link_target(path);  // …/0000:41:00.4/UUID
  if (!target) return std::unexpected(target.error());
  const auto parent = PciAddress::parse(last_part(std::string_view(*target).substr(0, target->rfind('/'))));
  if (!parent) return fail(ErrorKind::not_found, fmt::format("{} is not on a PCI function", path));
  MediatedDevice device{.uuid = uuid, .parent = *parent};
  device.type_id = last_part(files.link_target(path + "/mdev_type").value_or(""));
  device.type = trim(files.read(path + "/mdev_type/name").value_or(""));
  const auto group = parse_unsigned(last_part(files.link_target(path + "/iommu_group").value_or("")));
  if (group) device.iommu_group = static_cast<unsigned>(*group);
  device.gpu_instance = read_gpu_instance(files, path + "/nvidia/gpu_instance_id");
  return device;
}

std::shared_ptr<const Result<Inventory>> inventory_of(const HostView& host) {
  return host.once<Result<Inventory>>([&] { return Reader(host.files).read(); });
}

}  // namespace gpuhost
