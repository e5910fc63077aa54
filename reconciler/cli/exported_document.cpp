#include "cli/exported_document.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/export_facts.hpp"
#include "cli/exported_gpus.hpp"
#include "cli/exported_license.hpp"
#include "document/formats.hpp"
#include "document/yaml.hpp"
#include "engine/reconcile.hpp"
#include "kinds/document_specs.hpp"
#include "kinds/driver/kind.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

namespace {

constexpr std::array<std::string_view, 7> exported_keys{
    "iommu", "intel_iommu", "amd_iommu", "pci", "hugepages", "hugepagesz", "default_hugepagesz"};
constexpr std::array<std::string_view, 5> exported_key_prefixes{"vfio", "nouveau.", "nvidia.", "nvidia_",
                                                                "nvidia-"};
constexpr std::array<std::string_view, 4> exported_module_prefixes{"vfio", "kvm", "nvidia", "nouveau"};
/// Modules that a GPU host may keep from loading.
constexpr std::array<std::string_view, 5> often_blocked{"nouveau", "nvidia", "nvidia_drm", "nvidiafb",
                                                        "vfio_pci"};

bool starts_with_any(std::string_view text, const auto& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
}

/// What the document might say; a plan then tells what of it is so.
struct Candidates {
  std::optional<DriverSpec> driver;
  std::optional<LicenseSpec> license;
  std::vector<KernelParameterSpec> parameters;
  std::vector<KernelModuleSpec> modules;
  std::vector<UnitSpec> units;
};

std::vector<KernelParameterSpec> parameter_candidates(const FileReader& files) {
  std::map<std::string, KernelParameterSpec> specs;  // by key with `_`
  const auto command_line = files.read("/proc/cmdline");
  if (!command_line) return {};
  for (const auto& argument : parse_kernel_arguments(*command_line)) {
    const auto key = underscored(argument.key);
    if (std::ranges::find(exported_keys, key) == exported_keys.end() &&
        !starts_with_any(key, exported_key_prefixes))
      continue;
    auto& spec = specs.try_emplace(key, KernelParameterSpec{.key = argument.key}).first->second;
    if (argument.value) spec.values.push_back(*argument.value);
  }
  std::vector<KernelParameterSpec> safe;
  for (auto& [key, spec] : specs)
    if (std::ranges::all_of(spec.values, formats::kernel_value.accepts)) safe.push_back(std::move(spec));
  return safe;
}

std::vector<KernelModuleSpec> module_candidates(const ModuleReader& modules) {
  std::vector<KernelModuleSpec> specs;
  const auto loaded = modules.loaded();
  if (!loaded) return specs;
  for (const auto& [name, module] : *loaded)
    if (starts_with_any(name, exported_module_prefixes))
      specs.push_back({.name = name, .state = KernelModuleSpec::State::loaded});
  for (const auto name : often_blocked)
    if (!loaded->contains(std::string(name)))
      specs.push_back({.name = std::string(name), .state = KernelModuleSpec::State::blocked});
  return specs;
}

/// The units that the kind looks at by itself.
std::vector<UnitSpec> unit_candidates(const HostView& host) {
  std::vector<UnitSpec> specs;
  const auto described = make_units({})->observe(host)->describe();
  for (const auto& [name, unit] : described.items()) {
    if (!unit.is_object() || !unit.contains("active")) continue;
    UnitSpec spec{.name = name};
    spec.active = unit["active"] == "active";
    if (unit["enabled"] == "enabled" || unit["enabled"] == "disabled")
      spec.enabled = unit["enabled"] == "enabled";
    specs.push_back(std::move(spec));
  }
  return specs;
}

/// "NAME" of "PREFIX[NAME]REST"; nothing if the address is another.
std::optional<std::string> name_in(std::string_view address, std::string_view prefix) {
  if (!address.starts_with(prefix)) return std::nullopt;
  address.remove_prefix(prefix.size());
  return std::string(address.substr(0, address.find(']')));
}

/// One whose state the document leaves alone has options by what it says of GPUs, and is not exported by
/// itself.
KernelModuleSpec owned_module(const std::string& name, const Json& applied) {
  using State = KernelModuleSpec::State;
  KernelModuleSpec spec{.name = name};
  const auto state = applied.value("state", "");
  spec.state = state == "blocked"    ? State::blocked
               : state == "unloaded" ? State::unloaded
               : state == "loaded"   ? State::loaded
                                     : State::as_is;
  if (spec.state == State::as_is) return spec;
  const auto options = applied.value("options", Json::object());
  for (const auto& [option, value] : options.items())
    if (value.is_string()) spec.options.emplace(option, value.get<std::string>());
  return spec;
}

/// Puts `spec` in the place of one about the same object.
template <class Spec>
void put(std::vector<Spec>& specs, Spec spec, auto name) {
  std::erase_if(specs,
                [&](const Spec& other) { return underscored(other.*name) == underscored(spec.*name); });
  specs.push_back(std::move(spec));
}

/// What the document that owns objects says of them: its new version must say it as well, or it is given
/// back.
void add_owned(Candidates& candidates, const Ownership::Objects& objects) {
  for (const auto& [address, object] : objects) {
    if (const auto key = name_in(address, "kernel.parameters[")) {
      KernelParameterSpec spec{.key = *key, .present = !object.applied.is_null()};
      if (object.applied.is_string()) spec.values = {object.applied.get<std::string>()};
      if (object.applied.is_array()) spec.values = object.applied.get<std::vector<std::string>>();
      put(candidates.parameters, std::move(spec), &KernelParameterSpec::key);
    } else if (const auto module = name_in(address, "kernel.modules[")) {
      put(candidates.modules, owned_module(*module, object.applied), &KernelModuleSpec::name);
    } else if (const auto unit = name_in(address, "units[")) {
      if (std::ranges::find(candidates.units, *unit, &UnitSpec::name) == candidates.units.end())
        candidates.units.push_back({.name = *unit});
      auto& spec = *std::ranges::find(candidates.units, *unit, &UnitSpec::name);
      if (address.ends_with(".enabled")) spec.enabled = object.applied == true;
      if (address.ends_with(".state")) spec.active = object.applied == "active";
    }
  }
}

/// The one that the document has installed. Others are the administrator's, and only checked.
std::optional<DriverSpec> driver_candidate(const Ownership::Objects& objects) {
  const auto record = objects.find(driver_object);
  const auto driver = record == objects.end() ? std::nullopt : DriverPackage::from(record->second.applied);
  if (!driver) return std::nullopt;
  using Flavor = DriverSpec::Flavor;
  for (const auto flavor : {Flavor::vgpu_manager, Flavor::graphics, Flavor::datacenter})
    if (driver->flavor == to_string(flavor))
      return DriverSpec{.flavor = Located{flavor, Mark{}}, .version = Located{driver->version, Mark{}}};
  return std::nullopt;
}

Node driver_node(const Candidates& candidates, const ExportFacts& facts) {
  Node driver = mapping_node();
  if (!candidates.driver || !facts.in_sync("driver.flavor") || !facts.in_sync("driver.installed"))
    return driver;
  add_entry(driver, "flavor", text_node(std::string(to_string(**candidates.driver->flavor))));
  add_entry(driver, "version", text_node(**candidates.driver->version));
  return driver;
}

Node parameter_node(const KernelParameterSpec& spec) {
  if (spec.values.size() == 1) return text_node(spec.values.front());
  Node node = mapping_node();
  if (spec.values.empty()) {
    add_entry(node, "state", plain_node(spec.present ? "present" : "absent"));
    return node;
  }
  auto& values = add_entry(node, "values", sequence_node());
  for (const auto& value : spec.values) values.items.push_back(text_node(value));
  return node;
}

std::string state_word(KernelModuleSpec::State state) {
  switch (state) {
    case KernelModuleSpec::State::loaded:
      return "loaded";
    case KernelModuleSpec::State::unloaded:
      return "unloaded";
    case KernelModuleSpec::State::blocked:
      return "blocked";
    case KernelModuleSpec::State::as_is:  // no document says so
      break;
  }
  std::unreachable();
}

Node kernel_node(const Candidates& candidates, const ExportFacts& facts) {
  Node parameters = mapping_node();
  for (const auto& spec : candidates.parameters)
    if (facts.in_sync(fmt::format("kernel.parameters[{}]", spec.key)))
      add_entry(parameters, spec.key, parameter_node(spec));
  Node modules = mapping_node();
  for (const auto& spec : candidates.modules) {
    const bool is_said = spec.state != KernelModuleSpec::State::as_is;
    if (!is_said || !facts.in_sync(fmt::format("kernel.modules[{}]", spec.name))) continue;
    auto& module = add_entry(modules, spec.name, mapping_node());
    add_entry(module, "state", plain_node(state_word(spec.state)));
    if (spec.options.empty()) continue;
    auto& options = add_entry(module, "options", mapping_node());
    for (const auto& [option, value] : spec.options) add_entry(options, option, text_node(value));
  }
  Node kernel = mapping_node();
  if (!parameters.entries.empty()) add_entry(kernel, "parameters", std::move(parameters));
  if (!modules.entries.empty()) add_entry(kernel, "modules", std::move(modules));
  return kernel;
}

Node units_node(const Candidates& candidates, const ExportFacts& facts) {
  Node units = mapping_node();
  for (const auto& spec : candidates.units) {
    Node unit = mapping_node();
    if (spec.enabled && facts.in_sync(fmt::format("units[{}].enabled", spec.name)))
      add_entry(unit, "enabled", plain_node(*spec.enabled ? "true" : "false"));
    if (spec.active && facts.in_sync(fmt::format("units[{}].state", spec.name)))
      add_entry(unit, "state", plain_node(*spec.active ? "active" : "inactive"));
    if (!unit.entries.empty()) add_entry(units, spec.name, std::move(unit));
  }
  return units;
}

/// The name of the one document that owns something here, since the new one is to stand in its place; else
/// the host's, but not that of an owner: what the new one leaves out would be given back.
std::string document_name(const HostView& host, const Ownership& owned) {
  const auto owners = owned.documents();
  if (owners.size() == 1) return owners.front();
  auto name = HostIdentity::read(host.files).name;
  if (!formats::name.accepts(name)) name = "host";
  while (!owned.of(name).empty()) name += "-exported";
  return name;
}

/// Everything that might be said, as if a document had said it.
Desired desired_from(const std::string& name, const Candidates& candidates, const ExportedGpus& gpus) {
  DocumentSpecs specs;
  specs.virtualization.required = true;
  if (candidates.driver) specs.driver = Located{*candidates.driver, Mark{}};
  if (candidates.license) specs.license = Located{*candidates.license, Mark{}};
  specs.kernel_parameters = candidates.parameters;
  specs.kernel_modules = candidates.modules;
  specs.units = candidates.units;
  specs.gpus = gpus.gpus;
  specs.vms = gpus.vms;
  return {.name = name, .sha256 = {}, .policy = {}, .kinds = make_kinds(std::move(specs))};
}

}  // namespace

Result<std::string> exported_document(const HostView& host) {
  auto owned = Ownership::load(host.files);
  if (!owned) return fail(std::move(owned));
  const auto name = document_name(host, *owned);
  Candidates candidates{driver_candidate(owned->of(name)), license_candidate(host),
                        parameter_candidates(host.files), module_candidates(host.modules),
                        unit_candidates(host)};
  add_owned(candidates, owned->of(name));
  const auto gpus = gpu_candidates(host, owned->of(name));
  auto plan = plan_once(desired_from(name, candidates, gpus), host);
  if (!plan) return fail(std::move(plan));
  const ExportFacts facts(std::move(*plan));

  Node document = mapping_node();
  add_entry(document, "apiVersion", plain_node("gpuhost/v1"));
  add_entry(document, "kind", plain_node("HostState"));
  auto& metadata = add_entry(document, "metadata", mapping_node());
  add_entry(metadata, "name", text_node(name));
  if (facts.in_sync("virtualization")) add_entry(document, "virtualization", plain_node("required"));
  if (auto driver = driver_node(candidates, facts); !driver.entries.empty())
    add_entry(document, "driver", std::move(driver));
  if (auto license = license_node(candidates.license, facts); !license.entries.empty())
    add_entry(document, "license", std::move(license));
  if (auto kernel = kernel_node(candidates, facts); !kernel.entries.empty())
    add_entry(document, "kernel", std::move(kernel));
  if (auto entries = gpus_node(gpus, facts); !entries.items.empty())
    add_entry(document, "gpus", std::move(entries));
  if (auto entries = vms_node(gpus, facts); !entries.items.empty())
    add_entry(document, "vms", std::move(entries));
  if (auto units = units_node(candidates, facts); !units.entries.empty())
    add_entry(document, "units", std::move(units));
  return emit_yaml(document);
}

}  // namespace gpuhost
