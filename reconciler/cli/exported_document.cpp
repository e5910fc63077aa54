#include "cli/exported_document.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/yaml.hpp"
#include "engine/reconcile.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"
#include "kinds/kernel_parameters/kernel_parameters.hpp"
#include "kinds/units/units.hpp"
#include "kinds/virtualization/virtualization.hpp"

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

KernelModuleSpec owned_module(const std::string& name, const Json& applied) {
  KernelModuleSpec spec{.name = name};
  const auto state = applied.value("state", "");
  spec.state = state == "blocked"    ? KernelModuleSpec::State::blocked
               : state == "unloaded" ? KernelModuleSpec::State::unloaded
                                     : KernelModuleSpec::State::loaded;
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

/// A plan of everything that might be said, to see what is so.
class Facts {
 public:
  explicit Facts(Plan plan) : plan_(std::move(plan)) {}

  /// Something was found about the object, all of it in sync, and nothing would be done to it.
  [[nodiscard]] bool in_sync(const std::string& address) const {
    bool seen = false;
    for (const auto& finding : plan_.findings) {
      if (!belongs(finding.address, address)) continue;
      if (finding.verdict != Finding::Verdict::in_sync) return false;
      seen = true;
    }
    // What another document owns stays that document's.
    const bool conflict = std::ranges::any_of(plan_.notes, [&](const Note& note) {
      return note.severity == Note::Severity::error && belongs(note.address, address);
    });
    return seen && !conflict && std::ranges::none_of(plan_.steps, [&](const PlannedStep& planned) {
             return belongs(planned.step.action.address, address);
           });
  }

 private:
  static bool belongs(const std::string& found, const std::string& address) {
    const auto same = underscored(found);
    const auto wanted = underscored(address);
    return same == wanted || same.starts_with(wanted + ".");
  }
  Plan plan_;
};

Node mapping() {
  return {.kind = Node::Kind::mapping};
}

Node plain(std::string text) {
  return {.kind = Node::Kind::scalar, .text = std::move(text)};
}

Node& add(Node& map, std::string key, Node value) {
  map.entries.push_back({.key = std::move(key), .key_mark = {}, .value = std::move(value)});
  return map.entries.back().value;
}

Node parameter_node(const KernelParameterSpec& spec) {
  if (spec.values.size() == 1) return text_node(spec.values.front());
  Node node = mapping();
  if (spec.values.empty()) {
    add(node, "state", plain(spec.present ? "present" : "absent"));
    return node;
  }
  auto& values = add(node, "values", {.kind = Node::Kind::sequence});
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
  }
  std::unreachable();
}

Node kernel_node(const Candidates& candidates, const Facts& facts) {
  Node parameters = mapping();
  for (const auto& spec : candidates.parameters)
    if (facts.in_sync(fmt::format("kernel.parameters[{}]", spec.key)))
      add(parameters, spec.key, parameter_node(spec));
  Node modules = mapping();
  for (const auto& spec : candidates.modules) {
    if (!facts.in_sync(fmt::format("kernel.modules[{}]", spec.name))) continue;
    auto& module = add(modules, spec.name, mapping());
    add(module, "state", plain(state_word(spec.state)));
    if (spec.options.empty()) continue;
    auto& options = add(module, "options", mapping());
    for (const auto& [option, value] : spec.options) add(options, option, text_node(value));
  }
  Node kernel = mapping();
  if (!parameters.entries.empty()) add(kernel, "parameters", std::move(parameters));
  if (!modules.entries.empty()) add(kernel, "modules", std::move(modules));
  return kernel;
}

Node units_node(const Candidates& candidates, const Facts& facts) {
  Node units = mapping();
  for (const auto& spec : candidates.units) {
    Node unit = mapping();
    if (spec.enabled && facts.in_sync(fmt::format("units[{}].enabled", spec.name)))
      add(unit, "enabled", plain(*spec.enabled ? "true" : "false"));
    if (spec.active && facts.in_sync(fmt::format("units[{}].state", spec.name)))
      add(unit, "state", plain(*spec.active ? "active" : "inactive"));
    if (!unit.entries.empty()) add(units, spec.name, std::move(unit));
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

Desired desired_from(const std::string& name, const Candidates& candidates) {
  Desired desired{.name = name, .sha256 = {}, .policy = {}, .kinds = {}};
  desired.kinds.push_back(make_virtualization({.required = true}));
  desired.kinds.push_back(make_kernel_parameters(candidates.parameters));
  desired.kinds.push_back(make_kernel_modules(candidates.modules));
  desired.kinds.push_back(make_units(candidates.units));
  return desired;
}

}  // namespace

Result<std::string> exported_document(const HostView& host) {
  auto owned = Ownership::load(host.files);
  if (!owned) return fail(std::move(owned));
  Candidates candidates{parameter_candidates(host.files), module_candidates(host.modules),
                        unit_candidates(host)};
  const auto name = document_name(host, *owned);
  add_owned(candidates, owned->of(name));
  auto plan = plan_once(desired_from(name, candidates), host);
  if (!plan) return fail(std::move(plan));
  const Facts facts(std::move(*plan));

  Node document = mapping();
  add(document, "apiVersion", plain("gpuhost/v1"));
  add(document, "kind", plain("HostState"));
  auto& metadata = add(document, "metadata", mapping());
  add(metadata, "name", text_node(name));
  if (facts.in_sync("virtualization")) add(document, "virtualization", plain("required"));
  if (auto kernel = kernel_node(candidates, facts); !kernel.entries.empty())
    add(document, "kernel", std::move(kernel));
  if (auto units = units_node(candidates, facts); !units.entries.empty())
    add(document, "units", std::move(units));
  return emit_yaml(document);
}

}  // namespace gpuhost
