#include "host/sim/sim_vgpu_types.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "catalog/vgpu_placements.hpp"
#include "host/sim/sim_gpus.hpp"

namespace gpuhost {

namespace {

/// Types whose number is not known get one above all known ones.
constexpr unsigned first_made_up_id = 10'000;

bool equal_size(const catalog::VgpuType& a, const catalog::VgpuType& b) {
  return &a == &b || (a.framebuffer_mb && a.framebuffer_mb == b.framebuffer_mb);
}

/// Boards whose placements are not published have them at multiples of the size here.
std::vector<unsigned> all_placements(const catalog::Board& board, unsigned size) {
  auto starts = catalog::placements_of(board, size);
  if (starts.empty())
    for (unsigned start = 0; start + size <= board.framebuffer_gb; start += size) starts.push_back(start);
  return starts;
}

/// In GB; 0: not known.
unsigned size_of(const catalog::VgpuType& type) {
  return catalog::size_in_gb(type.framebuffer_mb.value_or(0));
}

bool overlap(const SimVgpu& vgpu, unsigned start, unsigned size) {
  return vgpu.placement && *vgpu.placement < start + size && start < *vgpu.placement + size_of(*vgpu.type);
}

}  // namespace

std::optional<unsigned> asked_placement(std::string_view parameters) {
  for (const auto parameter : split(parameters, ',')) {
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos || trim(parameter.substr(0, equals)) != "vgpu-placement-id")
      continue;
    if (const auto number = parse_unsigned(trim(parameter.substr(equals + 1))))
      return static_cast<unsigned>(*number);
  }
  return std::nullopt;
}

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

bool SimVgpuTypes::mixes_sizes(const PciAddress& gpu) const {
  const auto found = host_.machine.gpus.find(gpu);
  return found != host_.machine.gpus.end() && found->second.mixed_sizes;
}

std::vector<unsigned> SimVgpuTypes::free_placements(const PciAddress& gpu, const catalog::VgpuType& type,
                                                    const Present& present) const {
  const auto* board =
      catalog::board_of(static_cast<std::uint16_t>(tree_.number(gpu, "device").value_or(0)),
                        static_cast<std::uint16_t>(tree_.number(gpu, "subsystem_device").value_or(0)));
  const auto size = size_of(type);
  if (board == nullptr || size == 0 || type.max_mixed == 0U) return {};
  const auto alike = std::ranges::count_if(
      present, [&](const SimVgpu& other) { return other.placement && equal_size(type, *other.type); });
  if (type.max_mixed && alike >= static_cast<std::ptrdiff_t>(*type.max_mixed)) return {};
  auto placements = all_placements(*board, size);
  std::erase_if(placements, [&](unsigned start) {
    return std::ranges::any_of(present, [&](const SimVgpu& other) { return overlap(other, start, size); });
  });
  return placements;
}

std::optional<unsigned> SimVgpuTypes::placement_for(const PciAddress& gpu, const catalog::VgpuType& type,
                                                    const Present& present) const {
  if (!mixes_sizes(gpu)) return std::nullopt;
  const auto free = free_placements(gpu, type, present);
  return free.empty() ? std::nullopt : std::optional(free.front());
}

bool SimVgpuTypes::may_lie(const PciAddress& gpu, const SimVgpu& vgpu, Present present,
                           unsigned placement) const {
  if (!mixes_sizes(gpu)) return true;
  if (const auto itself = std::ranges::find(present, vgpu); itself != present.end()) present.erase(itself);
  const auto free = free_placements(gpu, *vgpu.type, present);
  return std::ranges::find(free, placement) != free.end();
}

unsigned SimVgpuTypes::room(const PciAddress& gpu, const catalog::VgpuType& type,
                            const Present& present) const {
  if (has_mig(gpu) == type.gpu_instance.empty()) return 0;
  if (!type.gpu_instance.empty()) {
    unsigned sum = 0;
    for (const auto& [id, room] : room_on_instances(gpu, type, present)) sum += room;
    return sum;
  }
  if (mixes_sizes(gpu)) return static_cast<unsigned>(free_placements(gpu, type, present).size());
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
