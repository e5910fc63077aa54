#include "host/sim/sim_mdev.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>

#include "base/text.hpp"
#include "base/uuid.hpp"

namespace gpuhost {

namespace {

constexpr const char* mdev_devices = "/sys/bus/mdev/devices";
constexpr const char* mdev_parents = "/sys/class/mdev_bus";
constexpr const char* types_directory = "mdev_supported_types";
constexpr unsigned write_only = 0200;
constexpr const char* gpu_instance_file = "/nvidia/gpu_instance_id";
constexpr const char* placement_file = "/nvidia/placement_id";

/// The keys of vgpu_params. Source: NVIDIA vGPU software user guide, "Setting vGPU Plugin Parameters".
constexpr std::string_view parameter_keys[] = {"frame_rate_limiter", "disable_vnc",      "enable_uvm",
                                               "enable_debugging",   "enable_profiling", "vgpu-placement-id"};

std::string directory_above(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

/// As the driver prints it: "num_heads=4, frl_config=60, framebuffer=1024M, max_resolution=5120x2880,
/// max_instance=16". The frame rate of vPC is limited to 45; compute types have one head of 4096x2160.
/// Sources: a capture in github.com/harvester/pcidevices pkg/util/gpuhelper/testdata; NVIDIA vGPU software
/// user guide, appendix A.
std::string description_of(const catalog::VgpuType& type) {
  const std::string_view resolution = type.resolution.empty() ? "4096x2160" : type.resolution;
  return fmt::format("num_heads={}, frl_config={}, framebuffer={}M, max_resolution={}, max_instance={}\n",
                     type.heads.value_or(1), type.series == 'B' ? 45 : 60, type.framebuffer_mb.value_or(0),
                     resolution, type.max.value_or(1));
}

bool are_parameters(std::string_view text) {
  return std::ranges::all_of(split(text, ','), [](std::string_view assignment) {
    const auto equals = assignment.find('=');
    return equals != std::string_view::npos &&
           std::ranges::find(parameter_keys, trim(assignment.substr(0, equals))) != std::end(parameter_keys);
  });
}

}  // namespace

void SimMdev::register_parent(const PciAddress& parent) {
  const auto directory = tree_.directory_of(parent);
  if (!directory || is_parent(parent)) return;
  const auto gpu = tree_.physical_function_of(parent).value_or(parent);
  const auto types = types_.of(gpu);
  if (types.empty()) return;
  auto& files = tree_.files();
  for (const auto& [id, type] : types) {
    const std::string at = fmt::format("{}/{}/nvidia-{}", *directory, types_directory, id);
    files.put_text(at + "/name", std::string(type->name) + "\n");
    files.put_text(at + "/description", description_of(*type));
    files.put_text(at + "/device_api", "vfio-pci\n");
    files.put(at + "/create", HostFile::Text{"", write_only});
    files.put(at + "/devices", HostFile::Directory{});
  }
  files.put(fmt::format("{}/{}", mdev_parents, parent.to_string()),
            HostFile::Link{sysfs_link(mdev_parents, *directory)});
  show_room(parent, types, vgpus_on(gpu, types));
}

void SimMdev::unregister_parent(const PciAddress& parent) {
  const auto directory = tree_.directory_of(parent);
  if (!directory || !is_parent(parent)) return;
  const auto devices = devices_on(parent);
  for (const auto& device : devices) erase(device);
  tree_.files().erase_tree(fmt::format("{}/{}", *directory, types_directory));
  tree_.files().erase_tree(fmt::format("{}/{}", mdev_parents, parent.to_string()));
  if (!devices.empty()) refresh(tree_.physical_function_of(parent).value_or(parent));
}

bool SimMdev::is_parent(const PciAddress& device) const {
  const auto directory = tree_.directory_of(device);
  return directory && tree_.files().list(fmt::format("{}/{}", *directory, types_directory)).has_value();
}

std::optional<NodeUse> SimMdev::use_on(const PciAddress& parent) const {
  for (const auto& device : devices_on(parent)) {
    const auto group = tree_.group_of(device);
    auto use = group ? use_of(users_, vfio_node(*group)) : std::nullopt;
    if (use) return use;
  }
  return std::nullopt;
}

std::optional<Result<void>> SimMdev::write(const std::string& path, std::string_view text) {
  const auto parts = split(path, '/');
  const auto part = [&](std::size_t from_end) {
    return from_end < parts.size() ? parts[parts.size() - 1 - from_end] : std::string_view();
  };
  const auto above = [&](std::size_t levels) {
    std::string directory = path;
    for (; levels > 0; --levels) directory = directory_above(directory);
    return directory;
  };
  if (part(0) == "create" && part(2) == types_directory) {
    if (const auto parent = tree_.device_at(above(3))) {
      return create(*parent, std::string(part(1)), path, text);
    }
  }
  const auto is_device = [&](const std::string& directory) {
    const auto known = tree_.files().resolve(fmt::format("{}/{}", mdev_devices, last_part(directory)));
    return known && *known == directory && tree_.files().list(directory);
  };
  if (part(0) == "remove" && is_device(above(1))) return remove(above(1), path, text);
  if (part(0) == "vgpu_params" && is_device(above(2))) return set_parameters(above(2), path, text);
  return std::nullopt;
}

Result<void> SimMdev::create(const PciAddress& parent, const std::string& type, const std::string& path,
                             std::string_view text) {
  const auto refused = [&](int code) { return std::unexpected(system_error(code, "write", path)); };
  constexpr std::size_t uuid_length = 36;
  const bool is_long =
      text.size() > uuid_length + 1 || (text.size() == uuid_length + 1 && text.back() != '\n');
  const auto uuid = is_long ? std::nullopt : Uuid::parse(text.substr(0, uuid_length));
  if (!uuid) return refused(EINVAL);
  auto& files = tree_.files();
  const std::string listed = fmt::format("{}/{}", mdev_devices, uuid->to_string());
  if (files.link_target(listed)) return refused(EEXIST);
  const std::string at = directory_above(path);
  if (room_in(parent, at) == 0) return refused(ENOSPC);

  const std::string parent_directory = tree_.directory_of(parent).value_or("");
  const std::string device = fmt::format("{}/{}", parent_directory, uuid->to_string());
  files.put(device + "/mdev_type", HostFile::Link{fmt::format("../{}/{}", types_directory, type)});
  files.put(device + "/remove", HostFile::Text{"", write_only});
  files.put_text(device + "/nvidia/vgpu_params", "\n");
  const auto gpu = tree_.physical_function_of(parent).value_or(parent);
  const auto types = types_.of(gpu);
  const auto* made_of = type_in(at, types);
  if (const auto instance =
          made_of == nullptr ? std::nullopt : types_.instance_for(gpu, *made_of, vgpus_on(gpu, types)))
    files.put_text(device + gpu_instance_file, fmt::format("{}\n", *instance));
  if (const auto placement =
          made_of == nullptr ? std::nullopt : types_.placement_for(gpu, *made_of, vgpus_on(gpu, types)))
    files.put_text(device + placement_file, fmt::format("{}\n", *placement));
  files.put(listed, HostFile::Link{sysfs_link(mdev_devices, device)});
  files.put(fmt::format("{}/devices/{}", at, uuid->to_string()),
            HostFile::Link{"../../../" + uuid->to_string()});
  tree_.add_group(device, "unknown\n");
  tree_.show_vfio_node(device);
  refresh(gpu);
  return {};
}

Result<void> SimMdev::remove(const std::string& device, const std::string& path, std::string_view text) {
  const auto number = parse_unsigned(trim(text));
  if (!number) return std::unexpected(system_error(EINVAL, "write", path));
  if (*number == 0) return {};
  if (const auto group = tree_.group_of(device)) {
    if (const auto use = use_of(users_, vfio_node(*group))) return never_returns("write " + path, *use);
  }
  erase(device);
  if (const auto parent = tree_.device_at(directory_above(device))) {
    refresh(tree_.physical_function_of(*parent).value_or(*parent));
  }
  return {};
}

Result<void> SimMdev::set_parameters(const std::string& device, const std::string& path,
                                     std::string_view text) {
  const auto group = tree_.group_of(device);
  if (group && use_of(users_, vfio_node(*group))) return std::unexpected(system_error(EBUSY, "write", path));
  const auto parameters = trim(text);
  if (!parameters.empty() && !are_parameters(parameters)) {
    return std::unexpected(system_error(EINVAL, "write", path));
  }
  if (const auto placement = asked_placement(parameters)) {
    const auto parent = tree_.device_at(directory_above(device));
    const auto gpu = parent ? tree_.physical_function_of(*parent).value_or(*parent) : PciAddress{};
    const auto types = types_.of(gpu);
    const auto vgpu = vgpu_at(device, types);
    if (!vgpu || !types_.may_lie(gpu, *vgpu, vgpus_on(gpu, types), *placement))
      return std::unexpected(system_error(EINVAL, "write", path));
    if (vgpu->placement) tree_.files().put_text(device + placement_file, fmt::format("{}\n", *placement));
    refresh(gpu);
  }
  tree_.files().put_text(path, std::string(parameters) + "\n");
  return {};
}

void SimMdev::erase(const std::string& device) {
  auto& files = tree_.files();
  const std::string uuid = last_part(device);
  if (const auto type = files.resolve(device + "/mdev_type")) {
    files.erase_tree(fmt::format("{}/devices/{}", *type, uuid));
  }
  tree_.hide_vfio_node(device);
  tree_.leave_group(device);
  files.erase_tree(device);
  files.erase_tree(fmt::format("{}/{}", mdev_devices, uuid));
}

std::vector<std::string> SimMdev::devices_on(const PciAddress& parent) const {
  const auto directory = tree_.directory_of(parent);
  std::vector<std::string> found;
  for (const auto& name : directory ? tree_.files().names(*directory) : std::vector<std::string>{}) {
    if (Uuid::parse(name)) found.push_back(*directory + "/" + name);
  }
  return found;
}

std::vector<PciAddress> SimMdev::parents_on(const PciAddress& gpu) const {
  auto parents = tree_.virtual_functions_of(gpu);
  parents.insert(parents.begin(), gpu);
  std::erase_if(parents, [&](const auto& device) { return !is_parent(device); });
  return parents;
}

/// What is shown; on a host that was recorded without it, what would be.
unsigned SimMdev::room_in(const PciAddress& parent, const std::string& directory) const {
  if (const auto shown = tree_.files().text(directory + "/available_instances")) {
    return static_cast<unsigned>(parse_unsigned(trim(*shown)).value_or(0));
  }
  const auto gpu = tree_.physical_function_of(parent).value_or(parent);
  const auto types = types_.of(gpu);
  const auto present = vgpus_on(gpu, types);
  return counted_room(parent, present)(type_in(directory, types));
}

const catalog::VgpuType* SimMdev::type_in(const std::string& directory, const Types& types) const {
  const std::string name = tree_.files().text(directory + "/name").value_or("");
  const auto known = std::ranges::find_if(
      types, [&](const auto& offered) { return catalog::same_type(offered.type->name, name); });
  return known == types.end() ? nullptr : known->type;
}

std::function<unsigned(const catalog::VgpuType*)> SimMdev::counted_room(const PciAddress& parent,
                                                                        const Present& present) const {
  const auto gpu = tree_.physical_function_of(parent);
  if (gpu && !devices_on(parent).empty()) return [](const auto*) { return 0U; };
  return [this, &present, is_function = gpu.has_value(), of = gpu.value_or(parent)](const auto* type) {
    const unsigned room = type == nullptr ? 0 : types_.room(of, *type, present);
    return is_function ? std::min(room, 1U) : room;
  };
}

std::optional<SimVgpu> SimMdev::vgpu_at(const std::string& device, const Types& types) const {
  const auto* type = type_in(device + "/mdev_type", types);
  if (type == nullptr) return std::nullopt;
  const auto number = [&](const char* file) -> std::optional<unsigned> {
    const auto read = parse_unsigned(trim(tree_.files().text(device + file).value_or("")));
    return read ? std::optional(static_cast<unsigned>(*read)) : std::nullopt;
  };
  return SimVgpu{type, number(gpu_instance_file), number(placement_file)};
}

SimMdev::Present SimMdev::vgpus_on(const PciAddress& gpu, const Types& types) const {
  Present present;
  for (const auto& parent : parents_on(gpu))
    for (const auto& device : devices_on(parent))
      if (const auto vgpu = vgpu_at(device, types)) present.push_back(*vgpu);
  return present;
}

void SimMdev::show_room(const PciAddress& parent, const Types& types, const Present& present) {
  const std::string all = tree_.directory_of(parent).value_or("") + "/" + types_directory;
  const auto room_for = counted_room(parent, present);
  for (const auto& id : tree_.files().names(all)) {
    const std::string at = all + "/" + id;
    tree_.files().put_text(at + "/available_instances", fmt::format("{}\n", room_for(type_in(at, types))));
  }
}

std::vector<bool> SimMdev::uses_on_instance(const PciAddress& gpu, unsigned instance) const {
  std::vector<bool> uses;
  for (const auto& parent : parents_on(gpu))
    for (const auto& device : devices_on(parent)) {
      const auto on = parse_unsigned(trim(tree_.files().text(device + gpu_instance_file).value_or("")));
      if (on != instance) continue;
      const auto group = tree_.group_of(device);
      uses.push_back(group && use_of(users_, vfio_node(*group)));
    }
  return uses;
}

void SimMdev::refresh(const PciAddress& gpu) {
  const auto types = types_.of(gpu);
  const auto present = vgpus_on(gpu, types);
  for (const auto& parent : parents_on(gpu)) show_room(parent, types, present);
}

}  // namespace gpuhost
