#include "host/sim/sim_pci.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/sim_driver_names.hpp"
#include "host/sim/sim_drm.hpp"
#include "host/sim/sim_modprobe.hpp"

namespace gpuhost {

namespace {

constexpr const char* drivers_probe = "/sys/bus/pci/drivers_probe";

constexpr const char* nvidia_drm = "nvidia_drm";

/// Drivers that take any device they are told to.
constexpr std::string_view takes_any[] = {vfio_pci_driver, "pci-stub"};

std::vector<std::string> option_values(const SimModprobe& config, const std::string& module,
                                       std::string_view name) {
  const auto options = config.options.find(module);
  std::vector<std::string> values;
  if (options == config.options.end()) return values;
  for (const auto& option : options->second) {
    if (option.name != name) continue;
    values.clear();
    for (const auto part : split(option.value, ',')) values.emplace_back(part);
  }
  return values;
}

std::unexpected<Error> refused(int code, const std::string& path) {
  return std::unexpected(system_error(code, "write", path));
}

}  // namespace

SimPci::SimPci(HostFile& host, SimDeviceTree& tree, SimNvidia& nvidia, NodeUsers users)
    : host_(host), tree_(tree), nvidia_(nvidia), users_(std::move(users)) {
  const auto& files = tree_.files();
  const auto config = parse_modprobe(modprobe_text(files), files.text("/proc/cmdline").value_or(""));
  if (is_available(vfio_pci_driver)) vfio_ids_ = option_values(config, "vfio_pci", "ids");
}

unsigned SimPci::uses(const std::string& module) const {
  const std::string driver = driver_in_module(module);
  return static_cast<unsigned>(std::ranges::count_if(tree_.devices(), [&](const auto& device) {
    if (tree_.driver_of(device) != (module == nvidia_drm ? nvidia_driver : driver)) return false;
    return (module != nvidia_drm && use_of_device(device)) || use_of_drm_nodes(tree_, users_, device);
  }));
}

void SimPci::loaded(const std::string& module, const SimModprobe& config) {
  if (module == vgpu_manager) nvidia_.manager_loaded();
  if (module == nvidia_drm) {
    for (const auto& device : tree_.devices()) {
      if (makes_drm_nodes(device)) show_drm_nodes(tree_, device);
    }
  }
  const std::string driver = driver_in_module(module);
  const bool is_pci_driver =
      std::ranges::find(takes_any, driver) != std::end(takes_any) ||
      std::ranges::any_of(tree_.devices(), [&](const auto& device) { return matches(driver, device); });
  if (!is_pci_driver) return;
  if (driver == vfio_pci_driver) vfio_ids_ = option_values(config, module, "ids");
  if (driver == nvidia_driver) {
    const auto options = config.options.find(module);
    nvidia_.loaded(host_.modules.at(module).file.version,
                   options == config.options.end() ? std::vector<SimModprobe::Option>{} : options->second);
  }
  tree_.add_driver(driver);
  for (const auto& device : tree_.devices()) {
    if (tree_.driver_of(device).empty() && matches(driver, device)) attach(driver, device);
  }
}

void SimPci::unloaded(const std::string& module) {
  if (module == vgpu_manager) nvidia_.manager_unloaded();
  if (module == nvidia_drm) {
    for (const auto& device : tree_.devices()) {
      if (tree_.driver_of(device) == nvidia_driver) hide_drm_nodes(tree_, device);
    }
  }
  const std::string driver = driver_in_module(module);
  if (!tree_.has_driver(driver)) return;
  for (const auto& device : tree_.devices()) {
    if (tree_.driver_of(device) == driver) detach(device);
  }
  if (driver == vfio_pci_driver) vfio_ids_.clear();
  if (driver == nvidia_driver) nvidia_.unloaded();
  tree_.remove_driver(driver);
}

bool SimPci::is_available(const std::string& driver) const {
  const auto module = host_.modules.find(module_of_driver(driver));
  if (module == host_.modules.end()) return tree_.has_driver(driver);
  return module->second.loaded || module->second.file.builtin;
}

bool SimPci::is_known(const PciAddress& device) const {
  return host_.machine.gpus.contains(device) || host_.machine.functions.contains(device) ||
         host_.machine.gpus.contains(tree_.physical_function_of(device).value_or(device));
}

std::vector<std::string> SimPci::modules_for(const PciAddress& device) const {
  if (tree_.physical_function_of(device)) return {nvidia_driver};
  const auto gpu = host_.machine.gpus.find(device);
  if (gpu != host_.machine.gpus.end()) return gpu->second.drivers;
  const auto function = host_.machine.functions.find(device);
  return function == host_.machine.functions.end() ? std::vector<std::string>{} : function->second.drivers;
}

/// "10de:20b0", and as vfio-pci takes them also with subsystem ids; class and mask are not simulated.
bool SimPci::is_named_by_ids(const PciAddress& device) const {
  const auto id = [&](const char* file) {
    return fmt::format("{:04x}", tree_.number(device, file).value_or(0));
  };
  return std::ranges::any_of(vfio_ids_, [&](const std::string& ids) {
    const auto parts = split(ids, ':');
    const std::string own[] = {id("vendor"), id("device"), id("subsystem_vendor"), id("subsystem_device")};
    if (parts.size() != 2 && parts.size() != 4) return false;
    return std::ranges::equal(parts, std::span(own).first(parts.size()),
                              [](std::string_view a, const auto& b) {
                                return parse_unsigned("0x" + std::string(a)) == parse_unsigned("0x" + b);
                              });
  });
}

bool SimPci::matches(const std::string& driver, const PciAddress& device) const {
  const auto own = modules_for(device);
  const bool is_own = std::ranges::find(own, module_of_driver(driver)) != own.end();
  const bool is_any = std::ranges::find(takes_any, driver) != std::end(takes_any);
  if (const auto only = tree_.driver_override(device); !only.empty()) {
    return only == driver && (is_own || is_any);
  }
  return is_own || (driver == vfio_pci_driver && is_named_by_ids(device));
}

std::optional<NodeUse> SimPci::use_of_device(const PciAddress& device) const {
  const auto driver = tree_.driver_of(device);
  if (driver == nvidia_driver) return nvidia_.use_of_device(device);
  if (driver != vfio_pci_driver) return std::nullopt;
  const auto group = tree_.group_of(tree_.directory_of(device).value_or(""));
  return group ? use_of(users_, vfio_node(*group)) : std::nullopt;
}

bool SimPci::attach(const std::string& driver, const PciAddress& device) {
  const std::string directory = tree_.directory_of(device).value_or("");
  if (driver == vfio_pci_driver) {
    // Without a group VFIO cannot isolate it; and a virtual function of NVIDIA's own VFIO driver fails its
    // probe (github.com/cloud-hypervisor/cloud-hypervisor issue 7572).
    const auto physical = tree_.physical_function_of(device);
    const auto gpu = physical ? host_.machine.gpus.find(*physical) : host_.machine.gpus.end();
    const bool by_vendor =
        gpu != host_.machine.gpus.end() && gpu->second.framework == HostFile::VgpuFramework::vendor_vfio;
    if (!tree_.group_of(directory) || by_vendor) return false;
  }
  if (driver == nvidia_driver && !nvidia_.accepts(device)) return false;
  if (!tree_.has_driver(driver)) tree_.add_driver(driver);
  tree_.bind(device, driver);
  if (driver == vfio_pci_driver) tree_.show_vfio_node(directory);
  if (driver == nvidia_driver) nvidia_.bound(device);
  if (makes_drm_nodes(device)) show_drm_nodes(tree_, device);
  return true;
}

/// nouveau does by itself, NVIDIA's driver through a module of its own.
bool SimPci::makes_drm_nodes(const PciAddress& device) const {
  const std::string driver = tree_.driver_of(device);
  if (driver == "nouveau") return true;
  return driver == nvidia_driver && is_available(nvidia_drm) && !tree_.physical_function_of(device);
}

void SimPci::detach(const PciAddress& device) {
  const std::string driver = tree_.driver_of(device);
  const std::string directory = tree_.directory_of(device).value_or("");
  if (driver == nvidia_driver) nvidia_.unbound(device);
  tree_.unbind(device);
  if (driver == vfio_pci_driver) tree_.hide_vfio_node(directory);
  hide_drm_nodes(tree_, device);
}

void SimPci::probe(const PciAddress& device) {
  std::vector<std::string> drivers = {vfio_pci_driver, "pci-stub"};
  for (const auto& module : modules_for(device)) drivers.push_back(driver_in_module(module));
  for (const auto& driver : drivers) {
    if (is_available(driver) && matches(driver, device) && attach(driver, device)) return;
  }
}

void SimPci::power_off() {
  for (const auto& [address, gpu] : host_.machine.gpus) {
    if (gpu.gone) take_out(address);
  }
  for (const auto& device : tree_.devices()) {
    const bool is_overridden = !tree_.driver_override(device).empty();
    if (!is_known(device) && !is_overridden) continue;
    if (!tree_.directory_of(device)) continue;  // a virtual function, gone with its physical one
    const std::string driver = tree_.driver_of(device);
    if (!driver.empty() && !host_.modules.contains(module_of_driver(driver))) tree_.add_driver(driver);
    detach(device);
    if (is_overridden) tree_.set_driver_override(device, "");
  }
  for (const auto& [module, state] : host_.modules) {
    const std::string driver = driver_in_module(module);
    const bool is_bound = std::ranges::any_of(
        tree_.devices(), [&](const auto& device) { return tree_.driver_of(device) == driver; });
    if (!is_bound && tree_.has_driver(driver)) tree_.remove_driver(driver);
  }
}

void SimPci::power_on() {
  for (const auto& device : tree_.devices()) {
    if (is_known(device) && tree_.driver_of(device).empty()) probe(device);
  }
}

/// With the board all functions of its slot are gone.
void SimPci::take_out(const PciAddress& gpu) {
  for (const auto& device : tree_.devices()) {
    const bool is_of_board =
        device.domain == gpu.domain && device.bus == gpu.bus && device.device == gpu.device;
    if (!is_of_board || !tree_.directory_of(device)) continue;
    detach(device);
    tree_.remove_device(device);
  }
}

std::optional<PciAddress> SimPci::device_named(std::string_view text) const {
  const auto address = PciAddress::parse(trim(text));
  return address && tree_.directory_of(*address) ? address : std::nullopt;
}

std::optional<Result<void>> SimPci::write(const std::string& path, std::string_view text) {
  if (path == drivers_probe) return probe_by_hand(path, text);
  const auto slash = path.rfind('/');
  const std::string directory = path.substr(0, slash);
  const std::string file = path.substr(slash + 1);
  if (directory.substr(0, directory.rfind('/')) == sim_pci_drivers) {
    const std::string driver = last_part(directory);
    if (!is_available(driver)) return std::nullopt;
    if (file == "bind") return bind_by_hand(driver, path, text);
    if (file == "unbind") return unbind_by_hand(driver, path, text);
  }
  const auto device = tree_.device_at(directory);
  return device ? write_to_device(*device, file, path, text) : std::nullopt;
}

std::optional<Result<void>> SimPci::write_to_device(const PciAddress& device, std::string_view file,
                                                    const std::string& path, std::string_view text) {
  if (file == "driver_override") return override_driver(device, path, text);
  if (file == "sriov_numvfs" && tree_.number(device, "sriov_totalvfs")) {
    // Neither NVIDIA's driver nor vfio-pci lets functions be made this way. Source: sriov_numvfs_store().
    return refused(ENOENT, path);
  }
  if (file == "remove" || file == "rescan" || file == "reset") {
    return fail(ErrorKind::unsupported, fmt::format("cannot write {}: it is not simulated", path));
  }
  return std::nullopt;
}

Result<void> SimPci::override_driver(const PciAddress& device, const std::string& path,
                                     std::string_view text) {
  constexpr std::size_t page_size = 4096;
  if (text.size() >= page_size - 1) return refused(EINVAL, path);
  tree_.set_driver_override(device, std::string(text.substr(0, text.find('\n'))));
  return {};
}

Result<void> SimPci::bind_by_hand(const std::string& driver, const std::string& path, std::string_view text) {
  const auto device = device_named(text);
  if (!device || !matches(driver, *device)) return refused(ENODEV, path);
  if (!tree_.driver_of(*device).empty()) return refused(EBUSY, path);
  if (!attach(driver, *device)) return refused(EINVAL, path);
  return {};
}

Result<void> SimPci::unbind_by_hand(const std::string& driver, const std::string& path,
                                    std::string_view text) {
  const auto device = device_named(text);
  if (!device || tree_.driver_of(*device) != driver) return refused(ENODEV, path);
  if (const auto use = use_of_device(*device)) return never_returns("write " + path, *use);
  detach(*device);
  return {};
}

/// A driver whose probe fails is no error here: the device stays without one.
Result<void> SimPci::probe_by_hand(const std::string& path, std::string_view text) {
  const auto device = device_named(text);
  if (!device) return refused(EINVAL, path);
  if (tree_.driver_of(*device).empty()) probe(*device);
  return {};
}

}  // namespace gpuhost
