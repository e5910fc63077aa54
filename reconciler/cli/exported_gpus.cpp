#include "cli/exported_gpus.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/exported_gpu_modes.hpp"
#include "document/formats.hpp"
#include "host/domain_xml.hpp"
#include "inventory/gpu_reports.hpp"
#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/vgpu/params.hpp"
#include "kinds/vgpu_functions.hpp"
#include "peers/document_draft.hpp"

namespace gpuhost {

namespace {

using Vgpus = VgpuSpec::Vgpus;

/// What the document owns the vGPU on a function by; empty: nothing.
std::string object_on(const Gpu& gpu, const VirtualFunction& function, const Ownership::Objects& owned) {
  for (const auto& [object, record] : owned)
    if (vgpu_of_object(object))
      if (const auto known = vgpu_record(record);
          known.function == function.index && is_identity_of(known.gpu, gpu))
        return object;
  return {};
}

std::map<std::string, std::string> owned_params(const std::string& vgpu, const Ownership::Objects& owned) {
  std::map<std::string, std::string> params;
  const auto object = owned.find(vgpu);
  if (object == owned.end() || !object->second.applied.is_object()) return params;
  const auto applied = object->second.applied.value("params", Json::object());
  for (const auto& [key, value] : applied.items())
    if (value.is_string()) params.emplace(key, value.get<std::string>());
  return params;
}

/// Those of one type and one set of parameters are one entry, told apart by their UUIDs or functions.
class VgpuEntries {
 public:
  using Params = std::map<std::string, std::string>;

  /// Null: its type makes no name for an entry.
  Vgpus* entry_for(const std::string& type, const Params& params) {
    const auto same = [&](const Vgpus& other) { return other.type == type && other.params == params; };
    auto entry = std::ranges::find_if(all_, same);
    if (entry == all_.end()) {
      auto name = name_of_vgpu_type(type);
      if (const auto nth = names_[name]++; nth > 0) name += fmt::format("-{}", nth);
      if (!formats::name.accepts(name)) return nullptr;
      auto& made = all_.emplace_back();
      made.name = {std::move(name), Mark{}};
      made.type = type;
      made.count = 0;
      made.params = params;
      entry = std::prev(all_.end());
    }
    ++entry->count;
    return &*entry;
  }
  /// Where one lies that is of no use without all the others.
  static void place(Vgpus& entry, std::optional<unsigned> placement) {
    if (!placement) return;
    if (!entry.placement) entry.placement.emplace();
    entry.placement->value.push_back(*placement);
  }
  std::vector<Vgpus> take() {
    for (auto& entry : all_)
      if (entry.placement && entry.placement->value.size() != entry.count) entry.placement.reset();
    return std::move(all_);
  }

 private:
  std::vector<Vgpus> all_;
  std::map<std::string, unsigned> names_;
};

/// A function whose type its driver does not tell is left out.
std::vector<Vgpus> vgpus_of(const Gpu& gpu, const GpuReport& report, const FileReader& files,
                            const Ownership::Objects& owned) {
  VgpuEntries entries;
  const auto types = report.vgpu_types ? *report.vgpu_types : std::map<unsigned, std::string>{};
  const auto placement_of = [&](const auto& vgpu) {
    const bool mixed = report.mixed_sizes && *report.mixed_sizes;
    return mixed ? read_placement(files, vgpu_params_path(vgpu)) : std::nullopt;
  };
  for (const auto& vgpu : gpu.mediated_devices)
    if (auto* entry = entries.entry_for(vgpu.type, owned_params(vgpu_object(vgpu.uuid), owned))) {
      entry->uuids.push_back({vgpu.uuid, Mark{}});
      VgpuEntries::place(*entry, placement_of(vgpu.uuid));
    }
  for (const auto& function : gpu.functions) {
    const auto type = types.find(function.vgpu_type);
    if (type == types.end()) continue;
    if (auto* entry = entries.entry_for(type->second, owned_params(object_on(gpu, function, owned), owned))) {
      entry->vfs.push_back(function.index);
      VgpuEntries::place(*entry, placement_of(function.address));
    }
  }
  return entries.take();
}

/// What the GPU is used for, as far as its driver tells.
std::optional<GpuMode> mode_of(const Gpu& gpu, bool has_manager) {
  if (gpu.driver == "vfio-pci") return GpuMode::passthrough;
  if (gpu.driver != "nvidia") return std::nullopt;
  return has_manager ? GpuMode::vgpu : GpuMode::bare_metal;
}

/// Instances where they lie; off only if the document has said so.
std::optional<MigSpec> mig_of(const Gpu& gpu, const GpuReport& report, const Ownership::Objects& owned) {
  if (!report.mig) return std::nullopt;
  const auto& mig = *report.mig;
  MigSpec spec;
  if (!mig.mode.current) {
    spec.mode = MigSpec::Mode::disabled;
    return owned.contains(gpu_object(gpu, "mig.mode")) ? std::optional(spec) : std::nullopt;
  }
  if (!mig.instances || !mig.profiles) return std::nullopt;
  for (const auto& instance : *mig.instances) {
    const auto profile = std::ranges::find(*mig.profiles, instance.profile, &GpuInstanceProfile::id);
    if (profile == mig.profiles->end()) return std::nullopt;
    spec.instances.push_back(
        {.name = {}, .profile = profile->name, .placement = {instance.placement.start}, .compute = {}});
    if (instance.compute_instances.empty()) continue;
    auto& compute = spec.instances.back().compute.emplace();
    for (const auto& one : instance.compute_instances)
      compute.push_back({.profile = fmt::format("{}c.{}", one.placement.size, profile->name)});
  }
  return spec;
}

GpuSpecs specs_of(const Gpu& gpu, std::string name, bool has_manager, const GpuReport& report,
                  const FileReader& files, const Ownership::Objects& owned) {
  GpuSpecs specs;
  specs.entry.name = Located{std::move(name), Mark{}};
  specs.entry.selector = GpuSelector{.by = GpuSelector::By::address, .value = gpu.address.to_string()};
  if (const auto mode = mode_of(gpu, has_manager)) specs.entry.mode = Located{*mode, Mark{}};
  if (!gpu.functions.empty()) specs.functions = Located{FunctionsSpec{.enabled = true}, Mark{}};
  if (auto vgpus = vgpus_of(gpu, report, files, owned); !vgpus.empty())
    specs.vgpu.vgpus = Located{std::move(vgpus), Mark{}};
  if (auto mig = mig_of(gpu, report, owned)) specs.mig = Located{*std::move(mig), Mark{}};
  add_modes(gpu, report, owned, specs);
  return specs;
}

VmSpec::Device vgpu_named(const GpuSpecs& gpu, const Vgpus& vgpus, std::ptrdiff_t index) {
  return {VmSpec::Device::Type::vgpu,
          {fmt::format("{}/{}/{}", **gpu.entry.name, *vgpus.name, index), Mark{}}};
}

/// The GPU or vGPU of an entry that a host device is; nothing: it is none, or goes with one.
std::optional<VmSpec::Device> named_device(const HostDevice& device, const Inventory& inventory,
                                           const std::vector<GpuSpecs>& gpus) {
  using Type = VmSpec::Device::Type;
  if (const auto* address = std::get_if<PciAddress>(&device.device)) {
    for (std::size_t i = 0; i < gpus.size(); ++i)
      if (inventory.gpus[i].address == *address)
        return VmSpec::Device{Type::gpu, {**gpus[i].entry.name, Mark{}}};
    for (std::size_t i = 0; i < gpus.size(); ++i)
      if (const auto* function = inventory.gpus[i].function_at(*address))
        for (const auto& vgpus : gpus[i].vgpu.vgpus ? **gpus[i].vgpu.vgpus : std::vector<Vgpus>{})
          if (const auto found = std::ranges::find(vgpus.vfs, function->index); found != vgpus.vfs.end())
            return vgpu_named(gpus[i], vgpus, found - vgpus.vfs.begin());
    return std::nullopt;
  }
  for (const auto& gpu : gpus)
    for (const auto& vgpus : gpu.vgpu.vgpus ? **gpu.vgpu.vgpus : std::vector<Vgpus>{}) {
      const auto found = std::ranges::find(vgpus.uuids, std::get<Uuid>(device.device), &Located<Uuid>::value);
      if (found == vgpus.uuids.end()) continue;
      return vgpu_named(gpu, vgpus, found - vgpus.uuids.begin());
    }
  return std::nullopt;
}

/// Where a guest has a function of a board beside its GPU, all guests get them with it.
void attach_companions(const DomainXml& xml, const Inventory& inventory, std::vector<GpuSpecs>& gpus) {
  for (std::size_t i = 0; i < gpus.size(); ++i)
    for (const auto& companion : inventory.gpus[i].companions)
      if (std::ranges::find(xml.host_devices, HostDevice{companion.address}.device, &HostDevice::device) !=
          xml.host_devices.end())
        gpus[i].passthrough = Located{PassthroughSpec{PassthroughSpec::Companions::attach}, Mark{}};
}

bool owns(const Ownership::Objects& owned, const std::string& vm, const char* field) {
  return owned.contains(fmt::format("vm[{}].{}", vm, field));
}

/// Domains that have NVIDIA devices, or that the document owns something of.
std::vector<VmSpecs> vms_of(const HostView& host, const Inventory& inventory, const Ownership::Objects& owned,
                            std::vector<GpuSpecs>& gpus) {
  std::vector<VmSpecs> vms;
  if (inventory.gpus.empty()) return vms;
  const auto domains = domains_of(host, system_connection);
  for (const auto& domain : *domains ? **domains : std::vector<Domain>{}) {
    const auto xml = read_domain_xml(domain.definition);
    if (!xml || !domain.persistent || xml->keeper != DomainKeeper::none) continue;
    std::vector<VmSpec::Device> devices;
    for (const auto& device : xml->host_devices)
      if (auto named = named_device(device, inventory, gpus)) devices.push_back(*std::move(named));
    const bool owned_devices = owns(owned, domain.name, "devices");
    const bool owned_state = owns(owned, domain.name, "state");
    if (devices.empty() && !owned_devices && !owned_state && !owns(owned, domain.name, "autostart")) continue;
    attach_companions(*xml, inventory, gpus);
    VmSpecs specs;
    specs.vm.name = {domain.name, Mark{}};
    specs.vm.devices = Located{std::move(devices), Mark{}};
    specs.vm.autostart = Located{domain.autostart, Mark{}};
    using State = VmSpec::State;
    if (domain.running || owned_state)
      specs.vm.state = Located{domain.running ? State::running : State::stopped, Mark{}};
    vms.push_back(std::move(specs));
  }
  return vms;
}

Node mig_node(const MigSpec& mig) {
  if (mig.mode == MigSpec::Mode::disabled) return plain_node("disabled");
  Node list = sequence_node();
  for (const auto& instance : mig.instances) {
    Node entry = mapping_node();
    add_entry(entry, "profile", text_node(instance.profile));
    auto& placement = add_entry(entry, "placement", sequence_node());
    placement.items.push_back(plain_node(std::to_string(instance.placement.front())));
    if (instance.compute) {
      auto& list_of = add_entry(entry, "compute", sequence_node());
      for (const auto& compute : *instance.compute) {
        Node item = mapping_node();
        add_entry(item, "profile", text_node(compute.profile));
        list_of.items.push_back(std::move(item));
      }
    }
    list.items.push_back(std::move(entry));
  }
  return list;
}

Node numbers_node(const std::vector<unsigned>& numbers) {
  Node list = sequence_node();
  for (const auto number : numbers) list.items.push_back(plain_node(std::to_string(number)));
  return list;
}

Node vgpus_node(const GpuSpecs& gpu, const ExportFacts& facts) {
  Node list = sequence_node();
  for (const auto& vgpus : **gpu.vgpu.vgpus) {
    Node entry = mapping_node();
    add_entry(entry, "name", text_node(*vgpus.name));
    add_entry(entry, "type", text_node(vgpus.type));
    auto& devices = add_entry(entry, vgpus.vfs.empty() ? "uuids" : "vfs", numbers_node(vgpus.vfs));
    for (const auto& uuid : vgpus.uuids) devices.items.push_back(text_node(uuid->to_string()));
    if (vgpus.placement && facts.in_sync(fmt::format("gpu[{}].sizes", **gpu.entry.name)))
      add_entry(entry, "placement", numbers_node(**vgpus.placement));
    if (!vgpus.params.empty()) {
      auto& params = add_entry(entry, "params", mapping_node());
      for (const auto& [key, value] : vgpus.params) add_entry(params, key, text_node(value));
    }
    for (unsigned index = 0; index < vgpus.count; ++index)
      if (!facts.in_sync(fmt::format("gpu[{}].vgpu[{}/{}]", **gpu.entry.name, *vgpus.name, index)))
        return sequence_node();  // a list that lacks one would have it removed
    list.items.push_back(std::move(entry));
  }
  return list;
}

bool is_exported(const VmSpecs& vm, const ExportFacts& facts) {
  return facts.in_sync(fmt::format("vm[{}].devices", *vm.vm.name));
}

/// Names of entries that some domain refers to.
std::set<std::string> referred(const ExportedGpus& candidates, const ExportFacts& facts) {
  std::set<std::string> names;
  for (const auto& vm : candidates.vms)
    if (is_exported(vm, facts))
      for (const auto& device : **vm.vm.devices)
        names.emplace(device.name->substr(0, device.name->find('/')));
  return names;
}

}  // namespace

ExportedGpus gpu_candidates(const HostView& host, const Ownership::Objects& owned) {
  ExportedGpus exported;
  const auto inventory = inventory_of(host);
  if (!host.running || !*inventory) return exported;
  const auto reports = gpu_reports_of(host);
  const bool has_manager = host.files.exists("/sys/module/nvidia_vgpu_vfio").value_or(false);
  for (const auto& gpu : (**inventory).gpus) {
    GpuReport report;  // of a GPU that its driver does not tell of, which says nothing
    if (*reports)
      if (const auto told = (**reports).find(gpu.address); told != (**reports).end()) report = told->second;
    exported.gpus.push_back(
        specs_of(gpu, fmt::format("gpu{}", exported.gpus.size()), has_manager, report, host.files, owned));
  }
  exported.vms = vms_of(host, **inventory, owned, exported.gpus);
  return exported;
}

Node gpus_node(const ExportedGpus& candidates, const ExportFacts& facts) {
  Node list = sequence_node();
  const auto names = referred(candidates, facts);
  const bool binds_at_boot = facts.in_sync("kernel.modules[vfio_pci]");  // passthrough asks for that, too
  for (const auto& gpu : candidates.gpus) {
    const auto& name = **gpu.entry.name;
    Node entry = mapping_node();
    add_entry(entry, "name", text_node(name));
    auto& match = add_entry(entry, "match", mapping_node());
    add_entry(match, "address", text_node(gpu.entry.selector->value));
    const auto& mode = gpu.entry.mode;
    if (mode && facts.in_sync(fmt::format("gpu[{}].driver", name)) &&
        (**mode != GpuMode::passthrough || binds_at_boot)) {
      add_entry(entry, "mode", plain_node(std::string(to_string(**mode))));
      if (gpu.passthrough && **mode == GpuMode::passthrough)
        add_entry(entry, "companions", plain_node("attach"));
    }
    if (gpu.functions && facts.in_sync(fmt::format("gpu[{}].functions", name)))
      add_entry(entry, "functions", plain_node("enabled"));
    if (gpu.mig && facts.in_sync(fmt::format("gpu[{}].mig", name)))
      add_entry(entry, "mig", mig_node(**gpu.mig));
    add_mode_entries(gpu, facts, entry);
    if (gpu.vgpu.vgpus)
      if (auto vgpus = vgpus_node(gpu, facts); !vgpus.items.empty())
        add_entry(entry, "vgpus", std::move(vgpus));
    constexpr std::size_t name_and_match = 2;
    if (entry.entries.size() > name_and_match || names.contains(name)) list.items.push_back(std::move(entry));
  }
  return list;
}

Node vms_node(const ExportedGpus& candidates, const ExportFacts& facts) {
  Node list = sequence_node();
  for (const auto& vm : candidates.vms) {
    if (!is_exported(vm, facts)) continue;
    Node entry = mapping_node();
    const auto& name = *vm.vm.name;
    add_entry(entry, "name", text_node(name));
    auto& devices = add_entry(entry, "devices", sequence_node());
    for (const auto& device : **vm.vm.devices) {
      Node item = mapping_node();
      add_entry(item, device.type == VmSpec::Device::Type::gpu ? "gpu" : "vgpu", text_node(*device.name));
      devices.items.push_back(std::move(item));
    }
    if (vm.vm.state && facts.in_sync(fmt::format("vm[{}].state", name)))
      add_entry(entry, "state", plain_node(**vm.vm.state == VmSpec::State::running ? "running" : "stopped"));
    if (facts.in_sync(fmt::format("vm[{}].autostart", name)))
      add_entry(entry, "autostart", plain_node(**vm.vm.autostart ? "true" : "false"));
    list.items.push_back(std::move(entry));
  }
  return list;
}

}  // namespace gpuhost
