#include "kinds/vgpu/supported_types.hpp"

#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"

namespace gpuhost {

namespace {

std::string device_directory(const PciAddress& address) {
  return "/sys/bus/pci/devices/" + address.to_string();
}

std::string types_directory(const PciAddress& parent) {
  return device_directory(parent) + "/mdev_supported_types";
}

/// "num_heads=4, frl_config=60, framebuffer=1024M, max_resolution=5120x2880, max_instance=16"
void read_description(std::string_view text, SupportedType& type) {
  for (const auto part : split(trim(text), ',')) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = trim(part.substr(0, equals));
    auto value = trim(part.substr(equals + 1));
    if (value.ends_with('M')) value.remove_suffix(1);
    const auto number = parse_unsigned(value);
    if (!number) continue;
    if (key == "framebuffer") type.framebuffer_mb = static_cast<unsigned>(*number);
    if (key == "max_instance") type.max = static_cast<unsigned>(*number);
  }
}

class Reader {
 public:
  Reader(const FileReader& files, const std::function<bool(std::string_view)>& asked)
      : files_(files), asked_(asked) {}

  SupportedTypes read(const Gpu& gpu) {
    read_parent(gpu.address);
    for (const auto& function : gpu.functions)
      if (!found_.unknown && !read_parent(function.address)) read_vendor_function(function);
    return std::move(found_);
  }

 private:
  /// Whether mediated devices can be made there.
  bool read_parent(const PciAddress& parent) {
    const auto directory = types_directory(parent);
    const auto ids = files_.list(directory);
    if (!ids) {
      if (ids.error().kind != ErrorKind::not_found) found_.unknown = ids.error();
      return false;
    }
    found_.framework = VgpuFramework::mediated;
    auto& available = found_.available[parent];
    for (const auto& id : *ids) {
      const auto at = directory + "/" + id;
      if (!asked_(type_at(id, at).name)) continue;
      const auto text = files_.read(at + "/available_instances");
      if (const auto number = parse_unsigned(trim(text.value_or(""))))
        available[id] = static_cast<unsigned>(*number);
    }
    return true;
  }

  const SupportedType& type_at(const std::string& id, const std::string& directory) {
    const auto [type, added] = found_.types.try_emplace(id);
    if (!added) return type->second;
    type->second.name = trim(files_.read(directory + "/name").value_or(""));
    if (asked_(type->second.name))
      read_description(files_.read(directory + "/description").value_or(""), type->second);
    return type->second;
  }

  /// What a function that is a vGPU could be is told once it is none.
  void read_vendor_function(const VirtualFunction& function) {
    if (function.framework != VgpuFramework::vendor_specific) return;
    found_.framework = VgpuFramework::vendor_specific;
    if (function.vgpu_type != 0) return;
    const auto creatable = creatable_types(files_, function.address);
    if (!creatable && creatable.error().kind != ErrorKind::not_found) {
      found_.unknown = creatable.error();
      return;
    }
    auto& available = found_.available[function.address];
    for (const auto& [number, name] : creatable.value_or(std::map<unsigned, std::string>{})) {
      const auto id = std::to_string(number);
      found_.types.try_emplace(id, SupportedType{.name = name});
      if (asked_(name)) available[id] = 1;
    }
  }

  const FileReader& files_;
  const std::function<bool(std::string_view)>& asked_;
  SupportedTypes found_;
};

}  // namespace

SupportedTypes read_supported_types(const FileReader& files, const Gpu& gpu,
                                    const std::function<bool(std::string_view)>& asked) {
  return Reader(files, asked).read(gpu);
}

/// Source: NVIDIA Virtual GPU Software User Guide, "Creating an NVIDIA vGPU on a Linux with KVM Hypervisor
/// that Uses a Vendor-Specific VFIO Framework": a header, and lines as "1145  : NVIDIA L40S-1B".
Result<std::map<unsigned, std::string>> creatable_types(const FileReader& files, const PciAddress& function) {
  const auto text = files.read(device_directory(function) + "/nvidia/creatable_vgpu_types");
  if (!text) return std::unexpected(text.error());
  std::map<unsigned, std::string> types;
  for (const auto line : lines(*text)) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (const auto number = parse_unsigned(trim(line.substr(0, colon))))
      types.emplace(static_cast<unsigned>(*number), trim(line.substr(colon + 1)));
  }
  return types;
}

Result<std::string> directory_of_type(const FileReader& files, const PciAddress& parent,
                                      std::string_view type) {
  const auto directory = types_directory(parent);
  const auto ids = files.list(directory);
  if (!ids) return std::unexpected(Error(ids.error()).within("no vGPU can be made on " + parent.to_string()));
  std::vector<std::string> offered;
  for (const auto& id : *ids) {
    const auto name = files.read(fmt::format("{}/{}/name", directory, id));
    if (!name) continue;
    if (catalog::same_type(*name, type)) return fmt::format("{}/{}", directory, id);
    offered.push_back(short_type(*name));
  }
  return fail(ErrorKind::not_found,
              fmt::format("{} does not offer the vGPU type {}: it offers {}", parent.to_string(), type,
                          offered.empty() ? "none" : join(offered, ", ")));
}

std::string short_type(std::string_view type) {
  const auto parts = words(type);
  return parts.empty() ? std::string{} : std::string(parts.back());
}

std::optional<KnownType> known_type(const SupportedTypes& supported, const catalog::Board* board,
                                    std::string_view type) {
  const auto* listed = board != nullptr ? catalog::find_type(*board, type) : nullptr;
  KnownType known{.name = short_type(type)};
  if (listed != nullptr) {
    known.framebuffer_mb = listed->framebuffer_mb;
    known.max = listed->max;
    known.gpu_instance = listed->gpu_instance;
    known.per_instance = catalog::vgpus_per_instance(*listed);
  }
  for (const auto& [id, offered] : supported.types) {
    if (!catalog::same_type(offered.name, type)) continue;
    known.id = id;
    if (offered.framebuffer_mb) known.framebuffer_mb = offered.framebuffer_mb;
    if (offered.max) known.max = offered.max;
  }
  return known.id || listed != nullptr ? std::optional(known) : std::nullopt;
}

std::vector<std::string> type_names(const SupportedTypes& supported, const catalog::Board* board) {
  std::set<std::string> names;
  for (const auto& [id, type] : supported.types) names.insert(short_type(type.name));
  if (board != nullptr)
    for (const auto& type : catalog::types_of(*board)) names.insert(short_type(type.name));
  return {names.begin(), names.end()};
}

}  // namespace gpuhost
