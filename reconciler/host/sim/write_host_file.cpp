#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "document/encoding.hpp"
#include "document/yaml.hpp"
#include "host/sim/decode_installers.hpp"
#include "host/sim/hex_dump.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_units.hpp"

namespace gpuhost {

namespace {

/// Text that decode_host_file takes as it is written, whatever YAML would take it for.
Node raw(std::string text) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.text = std::move(text);
  return node;
}

Node boolean(bool value) {
  return raw(value ? "true" : "false");
}

Node mapping() {
  Node node;
  node.kind = Node::Kind::mapping;
  return node;
}

void add(Node& node, std::string key, Node value) {
  node.entries.push_back({std::move(key), {}, std::move(value)});
}

Node list(const std::vector<std::string>& texts) {
  Node node;
  node.kind = Node::Kind::sequence;
  for (const auto& text : texts) node.items.push_back(text_node(text));
  return node;
}

void add_list(Node& node, std::string key, const std::vector<std::string>& texts) {
  if (!texts.empty()) add(node, std::move(key), list(texts));
}

Node error_node(const Error& error) {
  if (error.kind == ErrorKind::unavailable && error.advice.empty()) return text_node(error.message);
  Node node = mapping();
  add(node, "reason", text_node(error.message));
  if (error.kind != ErrorKind::unavailable) add(node, "kind", text_node(std::string(to_string(error.kind))));
  if (!error.advice.empty()) add(node, "advice", text_node(error.advice));
  return node;
}

/// Whether a scalar stands for exactly this content; see decode_entry().
bool has_short_form(const std::string& content) {
  return content.empty() || content.find('\n') != std::string::npos;
}

std::string short_form(const std::string& content) {
  const bool one_line = content.size() > 1 && content.find('\n') == content.size() - 1;
  return one_line ? content.substr(0, content.size() - 1) : content;
}

Node entry_node(const HostFile::Text& text) {
  const bool binary = first_bad_byte(text.content).has_value();
  if (!binary && text.mode == 0644 && has_short_form(text.content)) return raw(short_form(text.content));
  Node node = mapping();
  if (binary) {
    add(node, "hex", raw(write_hex_dump(text.content)));
    add(node, "size", raw(fmt::format("{}", text.content.size())));
  } else {
    add(node, "text", raw(text.content));
  }
  if (text.mode != 0644) add(node, "mode", raw(fmt::format("{:04o}", text.mode)));
  return node;
}

Node entry_node(const HostFile::Large& large) {
  Node node = mapping();
  add(node, "sha256", text_node(large.sha256));
  if (large.mode != 0644) add(node, "mode", raw(fmt::format("{:04o}", large.mode)));
  return node;
}

Node entry_node(const HostFile::Link& link) {
  Node node = mapping();
  add(node, "link", text_node(link.target));
  return node;
}

Node entry_node(const HostFile::Directory&) {
  Node node = mapping();
  add(node, "directory", boolean(true));
  return node;
}

Node entry_node(const HostFile::Device&) {
  Node node = mapping();
  add(node, "device", boolean(true));
  return node;
}

Node entry_node(const HostFile::Unreadable& entry) {
  Node node = mapping();
  add(node, "unreadable", text_node(entry.reason));
  if (entry.permission) add(node, "permission", boolean(true));
  if (entry.unseen) add(node, "unseen", boolean(true));
  return node;
}

/// Files of one directory stand together; a file alone in its directory has its whole path.
Node files_node(const std::map<std::string, HostFile::Entry>& files) {
  std::map<std::string, std::vector<std::pair<std::string, const HostFile::Entry*>>> directories;
  for (const auto& [path, entry] : files) {
    const auto name = path.rfind('/') + 1;
    directories[path.substr(0, name)].emplace_back(path.substr(name), &entry);
  }
  const auto to_node = [](const HostFile::Entry& entry) {
    return std::visit([](const auto& what) { return entry_node(what); }, entry);
  };
  Node node = mapping();
  for (const auto& [directory, inside] : directories) {
    if (inside.size() == 1) {
      add(node, directory + inside[0].first, to_node(*inside[0].second));
      continue;
    }
    Node group = mapping();
    for (const auto& [name, entry] : inside) add(group, name, to_node(*entry));
    add(node, directory, std::move(group));
  }
  return node;
}

Node number(std::uint64_t value) {
  return raw(fmt::format("{}", value));
}

Node switch_node(const GpuSwitch& state) {
  const auto word = [](bool on) { return text_node(on ? "on" : "off"); };
  if (state.current == state.pending) return word(state.current);
  Node node = mapping();
  add(node, "current", word(state.current));
  add(node, "pending", word(state.pending));
  return node;
}

template <class T>
Node sequence(const std::vector<T>& things, Node (*to_node)(const T&)) {
  Node node;
  node.kind = Node::Kind::sequence;
  for (const auto& thing : things) node.items.push_back(to_node(thing));
  return node;
}

Node profile_node(const GpuInstanceProfile& profile) {
  Node node = mapping();
  add(node, "id", number(profile.id));
  add(node, "name", text_node(profile.name));
  add(node, "slices", number(profile.slices));
  add(node, "most", number(profile.most));
  if (profile.memory_mb > 0) add(node, "memory", number(profile.memory_mb));
  add(node, "size", number(profile.placements.empty() ? 1 : profile.placements.front().size));
  add(node, "starts",
      sequence<MigPlacement>(profile.placements, [](const auto& at) { return number(at.start); }));
  return node;
}

Node placement_node(const MigPlacement& placement) {
  return raw(fmt::format("{}:{}", placement.start, placement.size));
}

Node instance_node(const GpuInstance& instance) {
  Node node = mapping();
  add(node, "id", number(instance.id));
  add(node, "profile", number(instance.profile));
  add(node, "placement", placement_node(instance.placement));
  Node compute = mapping();
  for (const auto& part : instance.compute_instances)
    add(compute, fmt::format("{}", part.id), placement_node(part.placement));
  if (!compute.entries.empty()) add(node, "compute", std::move(compute));
  if (!instance.processes.empty())
    add(node, "processes", sequence<int>(instance.processes, [](const int& pid) {
          return number(static_cast<std::uint64_t>(pid));
        }));
  if (instance.vgpus > 0) add(node, "vgpus", number(instance.vgpus));
  return node;
}

/// Nothing for what the catalogue says anyway.
void add_mig(Node& node, const HostFile::Gpu& gpu) {
  Node mig = mapping();
  if (gpu.mig.mode != GpuSwitch{}) add(mig, "mode", switch_node(gpu.mig.mode));
  if (gpu.mig_profiles) add(mig, "profiles", sequence<GpuInstanceProfile>(*gpu.mig_profiles, profile_node));
  if (!gpu.mig.instances.empty())
    add(mig, "instances", sequence<GpuInstance>(gpu.mig.instances, instance_node));
  if (gpu.mig_unknown) add(mig, "unknown", error_node(*gpu.mig_unknown));
  if (!mig.entries.empty()) add(node, "mig", std::move(mig));
}

Node scheduler_node(const VgpuScheduler& scheduler) {
  using Policy = VgpuScheduler::Policy;
  Node node = mapping();
  add(node, "policy",
      text_node(scheduler.policy == Policy::best_effort   ? "best-effort"
                : scheduler.policy == Policy::equal_share ? "equal-share"
                                                          : "fixed-share"));
  if (!scheduler.round_robin) add(node, "roundRobin", boolean(false));
  if (scheduler.timeslice_ns > 0) add(node, "timeslice", number(scheduler.timeslice_ns));
  if (scheduler.averaging > 0) add(node, "averaging", number(scheduler.averaging));
  return node;
}

Node gpu_node(const HostFile::Gpu& gpu) {
  Node node = mapping();
  if (!gpu.uuid.empty()) add(node, "uuid", text_node(gpu.uuid));
  if (gpu.drivers != HostFile::Gpu{}.drivers) add(node, "drivers", list(gpu.drivers));
  if (gpu.framework != HostFile::VgpuFramework::none) {
    const bool by_mdev = gpu.framework == HostFile::VgpuFramework::mdev;
    add(node, "framework", text_node(by_mdev ? "mdev" : "vendor-vfio"));
  }
  if (gpu.first_function) add(node, "firstFunction", text_node(gpu.first_function->to_string()));
  if (gpu.types_after > 0) add(node, "typesAfter", raw(fmt::format("{}", gpu.types_after)));
  if (gpu.failing_function) add(node, "functionFails", raw(fmt::format("{}", *gpu.failing_function)));
  if (!gpu.serial.empty()) add(node, "serial", raw(gpu.serial));
  if (gpu.ecc) add(node, "ecc", switch_node(*gpu.ecc));
  if (gpu.scheduler != VgpuScheduler{}) add(node, "scheduler", scheduler_node(gpu.scheduler));
  if (!gpu.next_display.empty()) add(node, "nextDisplay", text_node(gpu.next_display));
  if (gpu.mixed_sizes) add(node, "mixedSizes", boolean(true));
  if (gpu.licensed) add(node, "licensed", boolean(true));
  if (gpu.reset_time.count() > 0) add(node, "resetSeconds", raw(fmt::format("{}", gpu.reset_time.count())));
  Node types = mapping();
  for (const auto& [number, name] : gpu.vgpu_types) add(types, fmt::format("{}", number), text_node(name));
  if (!types.entries.empty()) add(node, "vgpuTypes", std::move(types));
  add_mig(node, gpu);
  if (gpu.gone) add(node, "gone", boolean(true));
  return node;
}

Node function_node(const HostFile::Function& function) {
  Node node = mapping();
  add_list(node, "drivers", function.drivers);
  return node;
}

/// Nothing for none.
template <class T>
void add_by_address(Node& node, std::string key, const std::map<PciAddress, T>& things,
                    Node (*to_node)(const T&), const std::optional<Error>& unknown = {}) {
  Node group = mapping();
  if (unknown) add(group, "unknown", error_node(*unknown));
  for (const auto& [address, thing] : things) add(group, address.to_string(), to_node(thing));
  if (!group.entries.empty()) add(node, std::move(key), std::move(group));
}

Node machine_node(const HostFile::Machine& machine) {
  Node node = mapping();
  if (machine.iommu != HostFile::Iommu::none) {
    add(node, "iommu", text_node(machine.iommu == HostFile::Iommu::intel ? "intel" : "amd"));
  }
  if (!machine.iommu_default_on) add(node, "iommuDefaultOn", boolean(false));
  Node groups = mapping();
  for (const auto& [number, devices] : machine.iommu_groups) {
    add(groups, fmt::format("{}", number), list(devices));
  }
  if (!groups.entries.empty()) add(node, "iommuGroups", std::move(groups));
  add_list(node, "iommuUnits", machine.iommu_units);
  if (machine.initramfs) add(node, "initramfs", raw(*machine.initramfs));
  if (machine.esp_command_line) add(node, "espCommandLine", raw(*machine.esp_command_line));
  add_list(node, "panicsWith", machine.panics_with);
  add_by_address<HostFile::Gpu>(node, "gpus", machine.gpus, gpu_node, machine.gpus_unknown);
  add_by_address<HostFile::Function>(node, "functions", machine.functions, function_node);
  return node;
}

Node loaded_node(const LoadedModule& loaded) {
  if (loaded == LoadedModule{}) return boolean(true);
  Node node = mapping();
  if (loaded.use_count != loaded.users.size()) add(node, "uses", raw(fmt::format("{}", loaded.use_count)));
  add_list(node, "users", loaded.users);
  return node;
}

Node module_node(const HostFile::Module& module) {
  Node node = mapping();
  if (module.file.builtin) add(node, "builtin", boolean(true));
  if (!module.file.version.empty()) add(node, "version", raw(module.file.version));
  if (!module.file.signer.empty()) add(node, "signer", raw(module.file.signer));
  auto parameters = module.file.parameters;
  std::erase_if(parameters, [&](const auto& name) { return module.defaults.contains(name); });
  add_list(node, "parameters", parameters);
  Node defaults = mapping();
  for (const auto& [name, value] : module.defaults) add(defaults, name, raw(value));
  if (!defaults.entries.empty()) add(node, "defaults", std::move(defaults));
  add_list(node, "depends", module.depends);
  if (module.at_boot) add(node, "atBoot", boolean(true));
  if (module.loaded) add(node, "loaded", loaded_node(*module.loaded));
  if (module.unknown) add(node, "unknown", error_node(*module.unknown));
  if (module.broken) add(node, "broken", boolean(true));
  return node;
}

Node unit_file_state_node(const std::string& state) {
  return state == "enabled" ? boolean(true) : text_node(state);
}

Node unit_node(const std::string& name, const HostFile::Unit& unit) {
  const auto& state = unit.state;
  Node node = mapping();
  if (unit.unknown) {
    add(node, "unknown", error_node(*unit.unknown));
    return node;
  }
  if (state.active_state != "inactive") add(node, "state", text_node(state.active_state));
  if (state.sub_state != usual_sub_state(name, state.active_state))
    add(node, "sub", text_node(state.sub_state));
  if (state.load_state != usual_load_state(state.unit_file_state))
    add(node, "load", text_node(state.load_state));
  if (state.unit_file_state != "disabled") add(node, "enabled", unit_file_state_node(state.unit_file_state));
  if (unit.refuses_to_stop) add(node, "refusesToStop", boolean(true));
  return node;
}

Node modules_node(const HostFile& host) {
  Node node = mapping();
  if (host.modules_unknown) add(node, "unknown", error_node(*host.modules_unknown));
  for (const auto& [name, module] : host.modules) add(node, name, module_node(module));
  return node;
}

Node units_node(const HostFile& host) {
  Node node = mapping();
  if (host.units_unknown) add(node, "unknown", error_node(*host.units_unknown));
  for (const auto& [name, unit] : host.units) add(node, name, unit_node(name, unit));
  return node;
}

Node processes_node(const HostFile& host) {
  Node node = mapping();
  if (host.processes_unknown) add(node, "unknown", error_node(*host.processes_unknown));
  for (const auto& [pid, process] : host.processes) {
    Node one = mapping();
    add(one, "name", raw(process.name));
    if (!process.cgroup.empty()) add(one, "cgroup", raw(process.cgroup));
    add_list(one, "opens", process.opens);
    add(node, fmt::format("{}", pid), std::move(one));
  }
  return node;
}

Node agent_node(const HostFile::Agent& agent) {
  Node node = mapping();
  add(node, "system", text_node(agent.system));
  if (!agent.installed.empty()) add(node, "installed", raw(agent.installed));
  if (!agent.loaded.empty()) add(node, "loaded", raw(agent.loaded));
  if (agent.licensed) add(node, "licensed", boolean(true));
  if (agent.refuses_commands) add(node, "refusesCommands", boolean(true));
  if (agent.refuses_files) add(node, "refusesFiles", boolean(true));
  return node;
}

Node domain_node(const HostFile::Domain& domain) {
  Node node = mapping();
  add(node, "definition", raw(domain.definition));
  if (domain.live) add(node, "live", raw(*domain.live));
  if (domain.running) add(node, "running", boolean(true));
  if (domain.saved) add(node, "saved", boolean(true));
  if (domain.autostart) add(node, "autostart", boolean(true));
  if (!domain.persistent) add(node, "persistent", boolean(false));
  if (domain.ignores_shutdown) add(node, "ignoresShutdown", boolean(true));
  if (domain.refuses_detach) add(node, "refusesDetach", boolean(true));
  if (domain.agent) add(node, "agent", agent_node(*domain.agent));
  return node;
}

Node domains_node(const HostFile& host) {
  Node node = mapping();
  for (const auto& [uri, connection] : host.domains) {
    Node domains = mapping();
    if (connection.unknown) add(domains, "unknown", error_node(*connection.unknown));
    for (const auto& [name, domain] : connection.domains) add(domains, name, domain_node(domain));
    add(node, uri, std::move(domains));
  }
  return node;
}

Node installer_node(const HostFile::Installer& installer) {
  Node node = mapping();
  if (!installer.sha256.empty()) add(node, "sha256", text_node(installer.sha256));
  if (!installer.package.empty()) add(node, "package", text_node(installer.package));
  add(node, "flavor", text_node(installer.flavor));
  add(node, "version", raw(installer.version));
  if (!installer.signer.empty()) add(node, "signer", raw(installer.signer));
  const auto* fault =
      std::ranges::find(installer_faults, installer.fault, &Word<HostFile::Installer::Fault>::value);
  if (fault != installer_faults.end()) add(node, "fault", text_node(std::string(fault->text)));
  return node;
}

Node metadata_node(const HostFile& host) {
  Node node = mapping();
  add(node, "name", text_node(host.name));
  if (!host.description.empty()) add(node, "description", text_node(host.description));
  return node;
}

}  // namespace

std::string write_host_file(const HostFile& host) {
  Node node = mapping();
  add(node, "apiVersion", text_node("gpuhost/v1"));
  add(node, "kind", text_node("Host"));
  add(node, "metadata", metadata_node(host));
  const auto add_section = [&](const char* name, Node section) {
    if (!section.entries.empty()) add(node, name, std::move(section));
  };
  add_section("machine", machine_node(host.machine));
  add_section("files", files_node(host.files));
  add_section("modules", modules_node(host));
  add_section("units", units_node(host));
  add_section("processes", processes_node(host));
  add_section("domains", domains_node(host));
  if (!host.installers.empty())
    add(node, "installers", sequence<HostFile::Installer>(host.installers, installer_node));
  return emit_yaml(node);
}

}  // namespace gpuhost
