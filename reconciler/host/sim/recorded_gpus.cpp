#include "host/sim/recorded_gpus.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_driver_names.hpp"
#include "host/sim/sim_gpus.hpp"
#include "host/sim/sim_vgpu_types.hpp"

namespace gpuhost {

namespace {

using Framework = HostFile::VgpuFramework;

constexpr std::uint64_t nvidia_vendor = 0x10de;

/// What binds functions of a board beside its GPU. Source: the class in the id table of each driver.
struct ClassDriver {
  std::uint64_t class_code;
  const char* module;
};
constexpr ClassDriver class_drivers[] = {
    {0x040300, "snd_hda_intel"}, {0x0c0330, "xhci_pci"}, {0x0c8000, "i2c_nvidia_gpu"}};

class Device {
 public:
  Device(const FileReader& files, const PciAddress& address) : files_(files), address_(address) {}

  [[nodiscard]] const PciAddress& address() const { return address_; }
  [[nodiscard]] std::string at(std::string_view name) const {
    return fmt::format("{}/{}/{}", sim_pci_devices, address_.to_string(), name);
  }
  [[nodiscard]] std::uint64_t number(std::string_view file) const {
    return parse_unsigned(trim(files_.read(at(file)).value_or(""))).value_or(0);
  }
  [[nodiscard]] std::string linked(std::string_view link) const {
    return last_part(files_.link_target(at(link)).value_or(""));
  }
  [[nodiscard]] bool has(std::string_view name) const { return files_.exists(at(name)).value_or(false); }
  [[nodiscard]] bool is_gpu() const {
    return number("vendor") == nvidia_vendor && number("class") >> 16U == 0x03 && linked("physfn").empty();
  }
  /// The module of the bound driver, as far as it is one of the host's own.
  [[nodiscard]] std::optional<std::string> module() const {
    const std::string driver = linked("driver");
    if (driver.empty() || driver == vfio_pci_driver || driver == "pci-stub") return std::nullopt;
    return module_of_driver(driver);
  }

 private:
  const FileReader& files_;
  PciAddress address_;
};

std::string gpu_uuid(const FileReader& files, const PciAddress& gpu) {
  const auto text = files.read(fmt::format("/proc/driver/nvidia/gpus/{}/information", gpu.to_string()));
  for (const auto line : text ? lines(*text) : std::vector<std::string_view>{}) {
    const auto parts = words(line);
    if (parts.size() == 3 && parts[0] == "GPU" && parts[1] == "UUID:" && !parts[2].contains('?')) {
      return std::string(parts[2]);
    }
  }
  return {};
}

std::optional<Framework> shown_framework(const Device& device) {
  if (device.has("mdev_supported_types")) return Framework::mdev;
  if (device.has("nvidia/current_vgpu_type")) return Framework::vendor_vfio;
  return std::nullopt;
}

/// Where no function shows it, only a vGPU manager's files say that there could be one.
Framework framework_of(const FileReader& files, const Device& gpu,
                       const std::optional<PciAddress>& function) {
  if (const auto shown = shown_framework(gpu)) return *shown;
  if (function) {
    if (const auto shown = shown_framework(Device(files, *function))) return *shown;
  }
  const bool has_manager = files.exists("/sys/module/nvidia_vgpu_vfio").value_or(false) ||
                           files.exists("/usr/lib/nvidia/sriov-manage").value_or(false);
  const auto* board = catalog::board_of(static_cast<std::uint16_t>(gpu.number("device")),
                                        static_cast<std::uint16_t>(gpu.number("subsystem_device")));
  if (!has_manager || board == nullptr) return Framework::none;
  const auto release = files.read("/proc/sys/kernel/osrelease").value_or("");
  return function && catalog::has_vendor_functions(release) ? Framework::vendor_vfio : Framework::mdev;
}

std::uint32_t little_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// "First VF Offset" of the SR-IOV capability, which only root can read.
/// Source: PCI Express Base Specification, "SR-IOV Extended Capability"; its layout is in Linux
/// include/uapi/linux/pci_regs.h.
std::optional<std::uint32_t> first_function_offset(std::string_view config) {
  constexpr std::uint32_t sriov_capability = 0x10;
  constexpr std::size_t extended_begin = 0x100;
  constexpr std::size_t offset_field = 0x14;
  std::size_t at = extended_begin;
  for (auto left = config.size() / 4; left > 0 && at >= extended_begin && at + 4 <= config.size(); --left) {
    const auto header = little_endian(config, at, 4);
    if ((header & 0xffffU) == sriov_capability) {
      if (at + offset_field + 2 > config.size()) return std::nullopt;
      return little_endian(config, at + offset_field, 2);
    }
    at = header >> 20U & ~std::size_t{3};
  }
  return std::nullopt;
}

std::optional<PciAddress> first_function(const FileReader& files, const Device& gpu) {
  if (const auto known = PciAddress::parse(gpu.linked("virtfn0"))) return known;
  if (gpu.number("sriov_totalvfs") == 0) return std::nullopt;
  constexpr std::uint32_t usual_offset = 4;  // 0000:41:00.0 has 0000:41:00.4, in NVIDIA's guide and captures
  const std::string config = files.read(gpu.at("config")).value_or("");
  return following(gpu.address(), first_function_offset(config).value_or(usual_offset));
}

HostFile::Gpu recorded_gpu(const FileReader& files, const Device& device) {
  HostFile::Gpu gpu;
  gpu.uuid = gpu_uuid(files, device.address());
  if (const auto module = device.module();
      module && std::ranges::find(gpu.drivers, *module) == gpu.drivers.end()) {
    gpu.drivers.insert(gpu.drivers.begin(), *module);
  }
  gpu.first_function = first_function(files, device);
  gpu.framework = framework_of(files, device, gpu.first_function);
  return gpu;
}

HostFile::Function recorded_function(const Device& device) {
  if (const auto module = device.module()) return {{*module}};
  const auto known = std::ranges::find(class_drivers, device.number("class"), &ClassDriver::class_code);
  return known == std::end(class_drivers) ? HostFile::Function{} : HostFile::Function{{known->module}};
}

/// `known` is what a GPU without profiles in the file is taken to have.
void take_mig(const Observed<Mig>& mig, const std::vector<GpuInstanceProfile>& known, HostFile::Gpu& gpu) {
  if (mig.is_absent() && !known.empty()) gpu.mig_profiles.emplace();
  if (mig.is_unknown()) gpu.mig_unknown = Error{ErrorKind::unavailable, mig.reason()};
  if (!mig) return;
  gpu.mig.mode = mig->mode;
  if (mig->profiles && *mig->profiles != known) gpu.mig_profiles = *mig->profiles;
  if (mig->instances) gpu.mig.instances = *mig->instances;
  if (mig->instances.is_unknown()) gpu.mig_unknown = Error{ErrorKind::unavailable, mig->instances.reason()};
}

/// Nothing for what the catalogue says anyway.
void take_vgpu_types(const Observed<std::map<unsigned, std::string>>& types, const Device& device,
                     HostFile::Gpu& gpu) {
  if (!types) return;
  std::map<unsigned, std::string> known;
  for (const auto& [id, type] : known_vgpu_types(device.number("device"), device.number("subsystem_device")))
    known.emplace(id, type->name);
  if (*types != known) gpu.vgpu_types = *types;
}

}  // namespace

void take_reports(const FileReader& files, const Result<GpuReports>& reports, HostFile::Machine& machine) {
  const auto is_nvidias = [&](const auto& entry) {
    return Device(files, entry.first).linked("driver") == nvidia_driver;
  };
  if (!reports) {
    // A host without NVIDIA's driver has none to tell of, and needs no reason for that.
    if (std::ranges::any_of(machine.gpus, is_nvidias)) machine.gpus_unknown = reports.error();
    return;
  }
  for (const auto& [address, report] : *reports) {
    const auto found = machine.gpus.find(address);
    if (found == machine.gpus.end()) continue;
    auto& gpu = found->second;
    if (gpu.uuid.empty()) gpu.uuid = report.uuid;
    if (report.serial) gpu.serial = *report.serial;
    if (report.ecc) gpu.ecc = *report.ecc;
    if (report.scheduler) gpu.scheduler = *report.scheduler;
    if (report.mixed_sizes) gpu.mixed_sizes = *report.mixed_sizes;
    if (report.workstation_licensed) gpu.licensed = *report.workstation_licensed;
    take_vgpu_types(report.vgpu_types, Device(files, address), gpu);
    take_mig(report.mig, mig_hardware_of(Device(files, address).number("device")).profiles, gpu);
  }
}

void take_gpus(const FileReader& files, HostFile::Machine& machine) {
  std::vector<Device> devices;
  for (const auto& name : files.list(sim_pci_devices).value_or(std::vector<std::string>{})) {
    if (const auto address = PciAddress::parse(name)) devices.emplace_back(files, *address);
  }
  std::set<std::string> groups;
  for (const auto& device : devices) {
    if (!device.is_gpu()) continue;
    machine.gpus.emplace(device.address(), recorded_gpu(files, device));
    groups.insert(device.linked("iommu_group"));
  }
  groups.erase("");
  const auto is_of_a_board = [&](const PciAddress& address) {
    return std::ranges::any_of(machine.gpus, [&](const auto& entry) {
      const auto& gpu = entry.first;
      return gpu.domain == address.domain && gpu.bus == address.bus && gpu.device == address.device;
    });
  };
  for (const auto& device : devices) {
    if (machine.gpus.contains(device.address()) || !device.linked("physfn").empty()) continue;
    const bool is_bridge = device.number("class") >> 16U == 0x06;
    const bool is_beside = is_of_a_board(device.address()) || groups.contains(device.linked("iommu_group"));
    if (is_beside && !is_bridge) machine.functions.emplace(device.address(), recorded_function(device));
  }
}

}  // namespace gpuhost
