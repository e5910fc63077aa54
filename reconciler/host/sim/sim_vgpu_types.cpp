#include "host/sim/sim_vgpu_types.hpp"

#include <algorithm>
#include <map>

#include "catalog/mig.hpp"
#include "host/sim/sim_gpus.hpp"

namespace gpuhost {

namespace {

/// Types whose number is not known get one above all known ones.
constexpr unsigned first_made_up_id = 10'000;

bool equal_size(const catalog::VgpuType& a, const catalog::VgpuType& b) {
  return &a == &b || (a.framebuffer_mb && a.framebuffer_mb == b.framebuffer_mb);
}

}  // namespace

std::vector<SimVgpuType> known_vgpu_types(std::uint64_t device, std::uint64_t subsystem) {
  const auto* board =
      catalog::board_of(static_cast<std::uint16_t>(device), static_cast<std::uint16_t>(subsystem));
  if (board == nullptr) return {};
  std::vector<SimVgpuType> types;
  unsigned made_up = first_made_up_id;
  for (const auto& type : catalog::types_of(*board)) types.push_back({type.id ? *type.id : made_up++, &type});
  return types;
}

std::vector<SimVgpuType> SimVgpuTypes::of(const PciAddress& gpu) const {
  const auto device = tree_.number(gpu, "device");
  if (!device) return {};
  auto types = known_vgpu_types(*device, tree_.number(gpu, "subsystem_device").value_or(0));
  const auto found = host_.machine.gpus.find(gpu);
  if (found == host_.machine.gpus.end()) return types;
  for (auto& [id, type] : types)
    for (const auto& [recorded, name] : found->second.vgpu_types)
      if (catalog::same_type(name, type->name)) id = recorded;
  return types;
}

bool SimVgpuTypes::has_mig(const PciAddress& gpu) const {
  const auto found = host_.machine.gpus.find(gpu);
  return found != host_.machine.gpus.end() && found->second.mig.mode.current;
}

unsigned SimVgpuTypes::room(const PciAddress& gpu, const catalog::VgpuType& type,
                            const Present& present) const {
  if (has_mig(gpu) == type.gpu_instance.empty()) return 0;
  if (!type.gpu_instance.empty()) {
    unsigned sum = 0;
    for (const auto& [id, room] : room_on_instances(gpu, type, present)) sum += room;
    return sum;
  }
  const bool mixes =
      std::ranges::any_of(present, [&](const SimVgpu& other) { return !equal_size(type, *other.type); });
  const unsigned most = type.max.value_or(1);
  const auto count = static_cast<unsigned>(present.size());
  return mixes || count >= most ? 0 : most - count;
}

std::optional<unsigned> SimVgpuTypes::instance_for(const PciAddress& gpu, const catalog::VgpuType& type,
                                                   const Present& present) const {
  if (type.gpu_instance.empty() || !has_mig(gpu)) return std::nullopt;
  for (const auto& [id, room] : room_on_instances(gpu, type, present))
    if (room > 0) return id;
  return std::nullopt;
}

std::map<unsigned, unsigned> SimVgpuTypes::room_on_instances(const PciAddress& gpu,
                                                             const catalog::VgpuType& type,
                                                             const Present& present) const {
  std::map<unsigned, unsigned> room;
  const auto& of_gpu = host_.machine.gpus.at(gpu);
  const auto profiles =
      of_gpu.mig_profiles.value_or(mig_hardware_of(tree_.number(gpu, "device").value_or(0)).profiles);
  const auto profile = std::ranges::find_if(profiles, [&](const GpuInstanceProfile& one) {
    return catalog::same_mig_profile(one.name, type.gpu_instance);
  });
  if (profile == profiles.end()) return room;
  // What the table says of the whole GPU, shared among the instances that it can have.
  const unsigned on_each = std::max(1U, type.max.value_or(profile->most) / std::max(1U, profile->most));
  for (const auto& instance : of_gpu.mig.instances) {
    if (instance.profile != profile->id) continue;
    const auto on_it = [&](const SimVgpu& other) { return other.gpu_instance == instance.id; };
    const bool mixes = std::ranges::any_of(
        present, [&](const SimVgpu& other) { return on_it(other) && !equal_size(type, *other.type); });
    const auto count = static_cast<unsigned>(std::ranges::count_if(present, on_it));
    room[instance.id] = mixes || count >= on_each ? 0 : on_each - count;
  }
  return room;
}

}  // namespace gpuhost
