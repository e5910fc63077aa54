#include "host/sim/sim_vendor_vfio.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view list_header = "ID    : vGPU Name\n";

}  // namespace

void SimVendorVfio::show(const PciAddress& function) {
  const auto directory = tree_.directory_of(function);
  if (!directory || is_shown(function)) return;
  const std::string at = *directory + "/nvidia/";
  tree_.files().put_text(at + "current_vgpu_type", "0\n");
  tree_.files().put_text(at + "creatable_vgpu_types", "");
  for (const char* name : {"gpu_instance_id", "placement_id", "vgpu_params"}) {
    tree_.files().put_text(at + name, "");
  }
  const auto gpu = tree_.physical_function_of(function).value_or(function);
  const auto types = types_.of(gpu);
  list_creatable(function, types, vgpus_on(gpu, types));
}

void SimVendorVfio::hide(const PciAddress& function) {
  const auto directory = tree_.directory_of(function);
  if (!directory || !is_shown(function)) return;
  const bool had_type = current_type(function) != 0;
  tree_.hide_vfio_node(*directory);
  tree_.files().erase_tree(*directory + "/nvidia");
  if (had_type) refresh(tree_.physical_function_of(function).value_or(function));
}

bool SimVendorVfio::is_shown(const PciAddress& function) const {
  const auto directory = tree_.directory_of(function);
  return directory && tree_.files().text(*directory + "/nvidia/current_vgpu_type").has_value();
}

std::optional<NodeUse> SimVendorVfio::use_of_function(const PciAddress& function) const {
  const auto group = is_shown(function) ? tree_.group_of(*tree_.directory_of(function)) : std::nullopt;
  return group ? use_of(users_, vfio_node(*group)) : std::nullopt;
}

std::optional<Result<void>> SimVendorVfio::write(const std::string& path, std::string_view text) {
  const auto parts = split(path, '/');
  if (parts.size() < 3 || parts[parts.size() - 2] != "nvidia") return std::nullopt;
  const auto file = parts.back();
  const auto function = tree_.device_at(path.substr(0, path.size() - file.size() - sizeof("/nvidia")));
  if (!function || !is_shown(*function)) return std::nullopt;
  if (file == "current_vgpu_type") return set_type(*function, path, text);
  const bool is_setting = file == "placement_id" || file == "vgpu_params";
  if (!is_setting) return std::unexpected(system_error(EACCES, "write", path));
  if (current_type(*function) == 0) return std::unexpected(system_error(EINVAL, "write", path));
  if (use_of_function(*function)) return std::unexpected(system_error(EBUSY, "write", path));
  if (file == "vgpu_params") return set_parameters(*function, path, trim(text));
  tree_.files().put_text(path, std::string(trim(text)) + "\n");
  return Result<void>{};
}

Result<void> SimVendorVfio::set_parameters(const PciAddress& function, const std::string& path,
                                           std::string_view text) {
  const auto gpu = tree_.physical_function_of(function).value_or(function);
  const auto types = types_.of(gpu);
  const auto vgpu = vgpu_on(function, types);
  if (const auto placement = asked_placement(text); vgpu && placement) {
    if (!types_.may_lie(gpu, *vgpu, vgpus_on(gpu, types), *placement))
      return std::unexpected(system_error(EINVAL, "write", path));
    if (vgpu->placement)
      tree_.files().put_text(tree_.directory_of(function).value_or("") + "/nvidia/placement_id",
                             fmt::format("{}\n", *placement));
  }
  tree_.files().put_text(path, std::string(text) + "\n");
  refresh(gpu);
  return {};
}

Result<void> SimVendorVfio::set_type(const PciAddress& function, const std::string& path,
                                     std::string_view text) {
  const auto id = parse_unsigned(trim(text));
  if (!id) return std::unexpected(system_error(EINVAL, "write", path));
  if (const auto use = use_of_function(function)) return never_returns("write " + path, *use);
  const auto gpu = tree_.physical_function_of(function).value_or(function);
  const std::string directory = tree_.directory_of(function).value_or("");
  if (*id != 0) {
    if (current_type(function) != 0) return std::unexpected(system_error(EBUSY, "write", path));
    const std::string creatable = tree_.files().text(directory + "/nvidia/creatable_vgpu_types").value_or("");
    const auto offers = [&](std::string_view line) {
      return parse_unsigned(trim(line.substr(0, line.find(':')))) == *id;
    };
    const auto rows = lines(creatable);
    if (std::ranges::none_of(rows, offers)) return std::unexpected(system_error(EINVAL, "write", path));
    show_place(function, static_cast<unsigned>(*id));
  } else {
    for (const char* name : {"gpu_instance_id", "placement_id", "vgpu_params"})
      tree_.files().put_text(fmt::format("{}/nvidia/{}", directory, name), "");
  }
  tree_.files().put_text(path, fmt::format("{}\n", *id));
  if (*id != 0)
    tree_.show_vfio_node(directory);
  else
    tree_.hide_vfio_node(directory);
  refresh(gpu);
  return {};
}

unsigned SimVendorVfio::current_type(const PciAddress& function) const {
  return static_cast<unsigned>(tree_.number(function, "nvidia/current_vgpu_type").value_or(0));
}

std::optional<SimVgpu> SimVendorVfio::vgpu_on(const PciAddress& function, const Types& types) const {
  const auto known = std::ranges::find(types, current_type(function), &SimVgpuType::id);
  if (known == types.end()) return std::nullopt;
  const auto number = [&](const char* file) -> std::optional<unsigned> {
    const auto read = tree_.number(function, file);
    return read ? std::optional(static_cast<unsigned>(*read)) : std::nullopt;
  };
  return SimVgpu{known->type, number("nvidia/gpu_instance_id"), number("nvidia/placement_id")};
}

SimVendorVfio::Present SimVendorVfio::vgpus_on(const PciAddress& gpu, const Types& types) const {
  Present present;
  for (const auto& function : tree_.virtual_functions_of(gpu))
    if (const auto vgpu = vgpu_on(function, types)) present.push_back(*vgpu);
  return present;
}

void SimVendorVfio::list_creatable(const PciAddress& function, const Types& types, const Present& present) {
  std::string list(list_header);
  const bool is_taken = current_type(function) != 0;
  const auto gpu = tree_.physical_function_of(function).value_or(function);
  for (const auto& [id, type] : types) {
    if (!is_taken && types_.room(gpu, *type, present) > 0) list += fmt::format("{:<6}: {}\n", id, type->name);
  }
  const std::string directory = tree_.directory_of(function).value_or("");
  tree_.files().put_text(directory + "/nvidia/creatable_vgpu_types", list);
}

/// The driver chooses it.
void SimVendorVfio::show_place(const PciAddress& function, unsigned type) {
  const auto gpu = tree_.physical_function_of(function).value_or(function);
  const auto types = types_.of(gpu);
  const auto known = std::ranges::find(types, type, &SimVgpuType::id);
  if (known == types.end()) return;
  const auto present = vgpus_on(gpu, types);
  const auto instance = types_.instance_for(gpu, *known->type, present);
  const auto directory = tree_.directory_of(function).value_or("") + "/nvidia/";
  tree_.files().put_text(directory + "gpu_instance_id", instance ? fmt::format("{}\n", *instance) : "N/A\n");
  if (const auto placement = types_.placement_for(gpu, *known->type, present))
    tree_.files().put_text(directory + "placement_id", fmt::format("{}\n", *placement));
}

std::vector<bool> SimVendorVfio::uses_on_instance(const PciAddress& gpu, unsigned instance) const {
  std::vector<bool> uses;
  for (const auto& function : tree_.virtual_functions_of(gpu))
    if (current_type(function) != 0 && tree_.number(function, "nvidia/gpu_instance_id") == instance)
      uses.push_back(use_of_function(function).has_value());
  return uses;
}

void SimVendorVfio::refresh(const PciAddress& gpu) {
  const auto types = types_.of(gpu);
  const auto present = vgpus_on(gpu, types);
  for (const auto& function : tree_.virtual_functions_of(gpu)) {
    if (is_shown(function)) list_creatable(function, types, present);
  }
}

}  // namespace gpuhost
