#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/list_or_none.hpp"
#include "kinds/kernel_modules/driver_registry.hpp"
#include "kinds/kernel_modules/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view subject_prefix = "module/";

std::string normal(std::string_view value) {
  // As the kernel reads truth values: kstrtobool() in lib/kstrtox.c.
  for (const auto* yes : {"Y", "y", "on", "On", "ON"})
    if (value == yes) return "1";
  for (const auto* no : {"N", "n", "off", "Off", "OFF"})
    if (value == no) return "0";
  const auto number = parse_unsigned(value);
  return number ? std::to_string(*number) : std::string(value);
}

/// Source: Linux Documentation/ABI/testing/sysfs-bus-pci, boot_vga and boot_display.
bool is_console(const FileReader& files, const PciAddress& device) {
  const auto says_so = [&](const char* attribute) {
    const auto text = files.read(fmt::format("/sys/bus/pci/devices/{}/{}", device.to_string(), attribute));
    return text && trim(*text) == "1";
  };
  return says_so("boot_display") || says_so("boot_vga");
}

/// Unloading a driver takes its devices from it, used or not. PCI drivers are named as their modules, with
/// `-` where those have `_`, or they are not found here.
Result<std::map<std::string, std::vector<PciAddress>>> devices_of_modules(
    const FileReader& files, const std::vector<KernelModuleSpec>& spec) {
  constexpr const char* drivers_directory = "/sys/bus/pci/drivers";
  std::map<std::string, std::vector<PciAddress>> bound;
  if (const auto owned = Ownership::load(files))
    for (const auto& address : owned->addresses())
      if (auto module = module_at(address)) bound.emplace(*std::move(module), std::vector<PciAddress>{});
  std::set<std::string> asked_for;  // a document may take idle devices from a driver, but not the console
  for (const auto& module : spec)
    if (module.state != KernelModuleSpec::State::loaded && module.state != KernelModuleSpec::State::as_is) {
      bound.emplace(module.name, std::vector<PciAddress>{});
      if (module.state == KernelModuleSpec::State::unloaded) asked_for.insert(module.name);
    }
  if (bound.empty()) return bound;
  const auto drivers = list_or_none(files, drivers_directory);
  if (!drivers) return std::unexpected(drivers.error());
  for (const auto& driver : *drivers) {
    const auto module = bound.find(underscored(driver));
    if (module == bound.end()) continue;
    const auto entries = list_or_none(files, fmt::format("{}/{}", drivers_directory, driver));
    if (!entries) return std::unexpected(entries.error());
    for (const auto& entry : *entries)
      if (const auto device = PciAddress::parse(entry);
          device && (!asked_for.contains(module->first) || is_console(files, *device)))
        module->second.push_back(*device);
  }
  return bound;
}

KernelModulesState::Running look_at_kernel(const HostView& host, const std::vector<KernelModuleSpec>& spec) {
  KernelModulesState::Running running{.loaded = host.modules.loaded(),
                                      .files = {},
                                      .command_line = host.files.read("/proc/cmdline"),
                                      .parameters = {},
                                      .bound = devices_of_modules(host.files, spec)};
  for (const auto& module : spec) {
    running.files.emplace(module.name, host.modules.available(module.name));
    for (const auto& [name, value] : module.options) {
      auto text = host.files.read(fmt::format("/sys/module/{}/parameters/{}", module.name, name));
      if (text) *text = std::string(trim(*text));
      running.parameters[module.name].emplace(name, std::move(text));
    }
  }
  return running;
}

}  // namespace

std::optional<std::string> module_at(std::string_view address) {
  constexpr std::string_view prefix = "kernel.modules[";
  if (!address.starts_with(prefix) || !address.ends_with(']')) return std::nullopt;
  return std::string(address.substr(prefix.size(), address.size() - prefix.size() - 1));
}

bool same_parameter_value(std::string_view a, std::string_view b) {
  return normal(a) == normal(b);
}

std::unique_ptr<Kind> make_kernel_modules(std::vector<KernelModuleSpec> spec,
                                          std::vector<ForGpus<DriverRegistryKey>> registry) {
  return std::make_unique<KernelModules>(std::move(spec), std::move(registry));
}

KernelModules::KernelModules(std::vector<KernelModuleSpec> spec,
                             std::vector<ForGpus<DriverRegistryKey>> registry)
    : spec_(std::move(spec)), registry_(std::move(registry)) {
  for (auto& module : spec_) {
    module.name = underscored(module.name);
    std::map<std::string, std::string> options;
    for (auto& [name, value] : module.options) options[underscored(name)] = value;
    module.options = std::move(options);
  }
}

void KernelModules::add_registry(KernelModulesState& state, const HostView& host) const {
  const auto module = std::ranges::find(state.spec, registry_module, &KernelModuleSpec::name);
  if (registry_.empty() || module == state.spec.end()) return;
  const auto inventory = inventory_of(host);
  const auto others = read_modprobe_config(host.files, OwnModprobeFile::path);
  if (!*inventory || !others) {
    state.registry_unknown = !others ? others.error().message : inventory->error().message;
    return;
  }
  std::map<PciAddress, DriverRegistryKey> keys;
  for (const auto& [entry, key] : registry_)
    for (const auto& selected : select_gpus(entry, **inventory).gpus)
      keys.emplace(selected.gpu->address, key);
  std::string given;
  if (const auto theirs = others->options.find(registry_module); theirs != others->options.end())
    if (const auto option = theirs->second.find(registry_option); option != theirs->second.end())
      given = option->second;
  auto& option = module->options[registry_option];
  option = with_registry_keys(option.empty() ? given : option, keys);
}

KernelModulesState KernelModules::look(const HostView& host) const {
  KernelModulesState state{.spec = spec_,
                           .registry_unknown = {},
                           .running = {},
                           .modprobe = read_modprobe_config(host.files),
                           .at_boot = read_modules_at_boot(host.files),
                           .own_modprobe = OwnModprobeFile::read(host.files),
                           .own_boot_list = OwnBootList::read(host.files),
                           .initramfs = find_initramfs(host)};
  add_registry(state, host);
  if (host.running) state.running = look_at_kernel(host, state.spec);
  return state;
}

const LoadedModule* KernelModulesState::loaded(const std::string& module) const {
  if (!running || !running->loaded) return nullptr;
  const auto found = running->loaded->find(module);
  return found == running->loaded->end() ? nullptr : &found->second;
}

bool KernelModulesState::built_in(const std::string& module) const {
  if (!running) return false;
  const auto file = running->files.find(module);
  return file != running->files.end() && file->second && file->second->builtin;
}

Json KernelModulesState::describe() const {
  Json shown = Json::object();
  if (running && running->loaded) {
    shown["loaded"] = Json::object();
    for (const auto& [name, module] : *running->loaded)
      shown["loaded"][name] = {{"use_count", module.use_count}, {"users", module.users}};
  } else if (running) {
    shown["loaded"] = unknown_json(running->loaded.error());
  }
  if (at_boot)
    shown["loaded_at_boot"] = *at_boot;
  else
    shown["loaded_at_boot"] = unknown_json(at_boot.error());
  if (!modprobe) {
    shown["modprobe"] = unknown_json(modprobe.error());
    return shown;
  }
  shown["modprobe"] = {{"options", modprobe->options}, {"blacklisted", Json::array()}};
  for (const auto& [name, file] : modprobe->blacklisted) shown["modprobe"]["blacklisted"].push_back(name);
  for (const auto& [name, install] : modprobe->install) shown["modprobe"]["install"][name] = install.command;
  return shown;
}

std::optional<Truth> KernelModules::holds_in(const Fact& fact, const KernelModulesState& state) const {
  if (!fact.subject.starts_with(subject_prefix)) return std::nullopt;
  const auto module = fact.subject.substr(subject_prefix.size());
  if (fact.state != "loaded" && fact.state != "unloaded")
    return Truth::of(false);  // said of steps of one plan only
  if (!state.running) return Truth::unknown("no kernel runs under --root");
  const auto& loaded = state.running->loaded;
  if (!loaded && loaded.error().kind != ErrorKind::unsupported) return Truth::unknown(loaded.error().message);
  const bool there = state.loaded(module) != nullptr || state.built_in(module);
  return Truth::of(there == (fact.state == "loaded"));
}

std::string KernelModules::advice(const Fact& fact) const {
  if (!fact.subject.starts_with(subject_prefix)) return {};
  if (fact.state != "loaded" && fact.state != "unloaded") return {};
  // What is only unloaded comes back with its devices at the next boot.
  return fmt::format("add kernel.modules.{}: {{state: {}}}", fact.subject.substr(subject_prefix.size()),
                     fact.state == "loaded" ? "loaded" : "blocked");
}

}  // namespace gpuhost
