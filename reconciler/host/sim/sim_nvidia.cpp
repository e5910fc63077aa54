#include "host/sim/sim_nvidia.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"
#include "catalog/display_modes.hpp"

namespace gpuhost {

namespace {

constexpr const char* proc_directory = "/proc/driver/nvidia";
constexpr const char* proc_gpus = "/proc/driver/nvidia/gpus";
using Framework = HostFile::VgpuFramework;

std::string information_of(const PciAddress& gpu) {
  return fmt::format("{}/{}/information", proc_gpus, gpu.to_string());
}

/// The value in a line "Device Minor: \t 0"; empty: none.
std::string field(std::string_view information, std::string_view name) {
  for (const auto line : lines(information)) {
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == name) {
      return std::string(trim(line.substr(colon + 1)));
    }
  }
  return {};
}

/// The scheduler that the registry key RmPVMRL asks for. Source: NVIDIA vGPU user guide, "RmPVMRL Registry
/// Key": AAFFF in the upper bits with a strict round robin, TT without.
VgpuScheduler scheduler_in(std::uint64_t key) {
  constexpr unsigned nanoseconds = 1'000'000'000;
  VgpuScheduler scheduler;
  if ((key & 1U) == 0) return scheduler;
  scheduler.policy =
      (key >> 4U & 0xfU) == 0 ? VgpuScheduler::Policy::equal_share : VgpuScheduler::Policy::fixed_share;
  scheduler.averaging = static_cast<unsigned>(key >> 24U);
  const auto frequency = static_cast<unsigned>(key >> 12U & 0xfffU);
  const auto milliseconds = static_cast<unsigned>(key >> 16U & 0xffU);
  if (scheduler.averaging > 0) {
    scheduler.timeslice_ns = frequency == 0 ? 0 : nanoseconds / frequency;
  } else if (milliseconds > 0) {
    scheduler.round_robin = false;
    scheduler.timeslice_ns = milliseconds * (nanoseconds / 1000);
  }
  return scheduler;
}

/// Of a parameter that is given several times the kernel keeps the last value; keys of a device come after
/// those of all.
VgpuScheduler scheduler_at_start(const PciAddress& gpu, const std::vector<SimModprobe::Option>& options) {
  constexpr std::string_view key = "RmPVMRL=";
  std::string for_all, for_devices;
  for (const auto& option : options) {
    if (option.name == "NVreg_RegistryDwords") for_all = option.value;
    if (option.name == "NVreg_RegistryDwordsPerDevice") for_devices = option.value;
  }
  VgpuScheduler scheduler;
  for (const auto word : split(for_all, ';'))
    if (word.starts_with(key)) scheduler = scheduler_in(parse_unsigned(word.substr(key.size())).value_or(0));
  std::optional<PciAddress> device;
  for (const auto word : split(for_devices, ';')) {
    if (word.starts_with("pci=")) device = PciAddress::parse(word.substr(4));
    if (device == gpu && word.starts_with(key))
      scheduler = scheduler_in(parse_unsigned(word.substr(key.size())).value_or(0));
  }
  return scheduler;
}

}  // namespace

void SimNvidia::loaded(const std::string& version, const std::vector<SimModprobe::Option>& options) {
  for (auto& [address, gpu] : host_.machine.gpus) gpu.scheduler = scheduler_at_start(address, options);
  if (!version.empty()) {
    tree_.files().put_text(std::string(proc_directory) + "/version",
                           fmt::format("NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}\n", version));
  }
  tree_.files().put(proc_gpus, HostFile::Directory{});
}

void SimNvidia::unloaded() {
  tree_.files().erase_tree(proc_directory);
}

const HostFile::Gpu* SimNvidia::gpu_of(const PciAddress& device) const {
  const auto found = host_.machine.gpus.find(tree_.physical_function_of(device).value_or(device));
  return found == host_.machine.gpus.end() ? nullptr : &found->second;
}

bool SimNvidia::accepts(const PciAddress& device) const {
  const auto* gpu = gpu_of(device);
  if (gpu == nullptr) return false;
  const auto physical = tree_.physical_function_of(device);
  if (!physical || !gpu->failing_function) return true;
  const auto link = tree_.files().link_target(
      fmt::format("{}/virtfn{}", tree_.directory_of(*physical).value_or(""), *gpu->failing_function));
  return !link || last_part(*link) != device.to_string();
}

void SimNvidia::bound(const PciAddress& device) {
  const auto* gpu = gpu_of(device);
  if (gpu == nullptr) return;
  const bool is_function = tree_.physical_function_of(device).has_value();
  if (!is_function) show_information(device);
  show_vgpu_interface(device);
}

void SimNvidia::manager_loaded() {
  for (const auto& device : tree_.devices())
    if (gpu_of(device) != nullptr && lacks_vgpu_interface(device)) show_vgpu_interface(device);
}

void SimNvidia::manager_unloaded() {
  for (const auto& device : tree_.devices())
    if (tree_.driver_of(device) == nvidia_driver) hide_vgpu_interface(device);
}

void SimNvidia::unbound(const PciAddress& device) {
  hide_vgpu_interface(device);
  if (tree_.physical_function_of(device)) return;
  remove_functions(device);
  lose_what_the_driver_keeps(device);
  const std::string information = tree_.files().text(information_of(device)).value_or("");
  if (const auto minor = field(information, "Device Minor"); !minor.empty()) {
    tree_.files().erase_tree("/dev/nvidia" + minor);
  }
  tree_.files().erase_tree(fmt::format("{}/{}", proc_gpus, device.to_string()));
}

void SimNvidia::lose_what_the_driver_keeps(const PciAddress& gpu) {
  const auto found = host_.machine.gpus.find(gpu);
  if (found == host_.machine.gpus.end()) return;
  found->second.mig.instances.clear();
  found->second.mixed_sizes = false;
}

/// As NVIDIA's driver prints it, without what it reads from the board's firmware.
void SimNvidia::show_information(const PciAddress& gpu) {
  const auto device = tree_.number(gpu, "device").value_or(0);
  const auto subsystem = tree_.number(gpu, "subsystem_device").value_or(0);
  const auto* board =
      catalog::board_of(static_cast<std::uint16_t>(device), static_cast<std::uint16_t>(subsystem));
  const auto& uuid = gpu_of(gpu)->uuid;
  const std::string minor = free_minor();
  std::string text = fmt::format("Model: \t\t {}\n", board == nullptr ? "Graphics Device" : board->product);
  if (!uuid.empty()) text += fmt::format("GPU UUID: \t {}\n", uuid);
  text += fmt::format("Bus Type: \t PCIe\nBus Location: \t {}\nDevice Minor: \t {}\nGPU Excluded:\t No\n",
                      gpu.to_string(), minor);
  tree_.files().put_text(information_of(gpu), text);
  tree_.files().put("/dev/nvidia" + minor, HostFile::Device{});
}

/// The lowest that no GPU has.
std::string SimNvidia::free_minor() const {
  std::vector<std::string> taken;
  for (const auto& name : tree_.files().names(proc_gpus)) {
    const auto text = tree_.files().text(fmt::format("{}/{}/information", proc_gpus, name));
    taken.push_back(field(text.value_or(""), "Device Minor"));
  }
  unsigned minor = 0;
  while (std::ranges::find(taken, fmt::format("{}", minor)) != taken.end()) ++minor;
  return fmt::format("{}", minor);
}

void SimNvidia::show_vgpu_interface(const PciAddress& device) {
  const auto* gpu = gpu_of(device);
  const auto framework = gpu->framework;
  if (!has_manager() || !is_in_vgpu_mode(tree_.physical_function_of(device).value_or(device))) return;
  const bool has_vgpus_itself = !gpu->first_function && framework == Framework::mdev;
  if (!tree_.physical_function_of(device) && !has_vgpus_itself) return;
  if (framework == Framework::mdev) mdev_.register_parent(device);
  if (framework == Framework::vendor_vfio) vendor_.show(device);
}

void SimNvidia::hide_vgpu_interface(const PciAddress& device) {
  mdev_.unregister_parent(device);
  vendor_.hide(device);
}

bool SimNvidia::lacks_vgpu_interface(const PciAddress& function) const {
  return tree_.driver_of(function) == nvidia_driver && !mdev_.is_parent(function) &&
         !vendor_.is_shown(function);
}

/// Boards that have several display modes have vGPUs in some of them.
bool SimNvidia::is_in_vgpu_mode(const PciAddress& gpu) const {
  const auto* board =
      catalog::board_of(static_cast<std::uint16_t>(tree_.number(gpu, "device").value_or(0)),
                        static_cast<std::uint16_t>(tree_.number(gpu, "subsystem_device").value_or(0)));
  const auto modes =
      board == nullptr ? std::vector<catalog::DisplayMode>{} : catalog::display_modes_of(*board);
  const auto type = tree_.number(gpu, "class").value_or(0) >> 8U;
  return modes.empty() ||
         std::ranges::any_of(modes, [&](const auto& mode) { return mode.vgpus && mode.class_code == type; });
}

bool SimNvidia::has_manager() const {
  const auto manager = host_.modules.find(vgpu_manager);  // a host file may leave it out
  return manager == host_.modules.end() || manager->second.loaded;
}

bool SimNvidia::has_vgpus(const PciAddress& gpu) const {
  if (mdev_.has_devices(gpu)) return true;
  return std::ranges::any_of(tree_.virtual_functions_of(gpu), [&](const PciAddress& function) {
    return mdev_.has_devices(function) || vendor_.has_vgpu(function);
  });
}

std::optional<NodeUse> SimNvidia::use_of_gpu_node(const PciAddress& gpu) const {
  const auto minor = field(tree_.files().text(information_of(gpu)).value_or(""), "Device Minor");
  return minor.empty() ? std::nullopt : use_of(users_, "/dev/nvidia" + minor);
}

std::optional<NodeUse> SimNvidia::use_of_device(const PciAddress& device) const {
  if (auto use = mdev_.use_on(device)) return use;
  if (auto use = vendor_.use_of_function(device)) return use;
  if (tree_.physical_function_of(device)) return std::nullopt;
  for (const auto& function : tree_.virtual_functions_of(device)) {
    if (tree_.driver_of(function) == vfio_pci_driver) {
      const auto group = tree_.group_of(tree_.directory_of(function).value_or(""));
      auto use = group ? use_of(users_, vfio_node(*group)) : std::nullopt;
      if (use) return use;
    }
    if (auto use = use_of_device(function)) return use;
  }
  return use_of_gpu_node(device);
}

Result<CommandResult> SimNvidia::sriov_manage(const std::vector<std::string>& arguments) {
  const auto usage = CommandResult{1, "Usage: sriov-manage <-e|-d|-h> <[ssss:]bb:dd.f|ALL>\n"};
  if (arguments.size() != 2 || (arguments[0] != "-e" && arguments[0] != "-d")) return usage;
  std::vector<PciAddress> gpus;
  if (arguments[1] == "ALL") {
    for (const auto& [address, gpu] : host_.machine.gpus) {
      if (gpu.first_function && tree_.driver_of(address) == nvidia_driver) gpus.push_back(address);
    }
  } else if (const auto address = PciAddress::parse(arguments[1])) {
    gpus.push_back(*address);
  } else {
    return usage;
  }
  CommandResult all;
  for (const auto& gpu : gpus) {
    auto one = arguments[0] == "-e" ? Result<CommandResult>(enable_functions(gpu)) : disable_functions(gpu);
    if (!one) return one;
    all.output += one->output;
    if (one->exit_code != 0) all.exit_code = one->exit_code;
  }
  return all;
}

void SimNvidia::partitioned(const PciAddress& gpu) {
  mdev_.refresh(gpu);
  vendor_.refresh(gpu);
}

std::vector<bool> SimNvidia::uses_on_instance(const PciAddress& gpu, unsigned instance) const {
  auto uses = mdev_.uses_on_instance(gpu, instance);
  const auto more = vendor_.uses_on_instance(gpu, instance);
  uses.insert(uses.end(), more.begin(), more.end());
  return uses;
}

void SimNvidia::device_event() {
  for (const auto& [address, gpu] : host_.machine.gpus) {
    std::vector<PciAddress> waiting = tree_.virtual_functions_of(address);
    std::erase_if(waiting, [&](const auto& function) { return !lacks_vgpu_interface(function); });
    if (waiting.empty() || ++events_[address] < gpu.types_after) continue;
    for (const auto& function : waiting) show_vgpu_interface(function);
    events_.erase(address);
  }
}

}  // namespace gpuhost
