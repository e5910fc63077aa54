#include "host/sim/sim_vgpu_types.hpp"

#include <algorithm>

namespace gpuhost {

namespace {

/// Types whose number is not known get one above all known ones.
constexpr unsigned first_made_up_id = 10'000;

bool equal_size(const catalog::VgpuType& a, const catalog::VgpuType& b) {
  return &a == &b || (a.framebuffer_mb && a.framebuffer_mb == b.framebuffer_mb);
}

}  // namespace

std::vector<SimVgpuType> vgpu_types_of(const SimDeviceTree& tree, const PciAddress& gpu) {
  const auto device = tree.number(gpu, "device");
  const auto subsystem = tree.number(gpu, "subsystem_device").value_or(0);
  if (!device) return {};
  const auto* board =
      catalog::board_of(static_cast<std::uint16_t>(*device), static_cast<std::uint16_t>(subsystem));
  if (board == nullptr) return {};
  std::vector<SimVgpuType> types;
  unsigned made_up = first_made_up_id;
  for (const auto& type : catalog::types_of(*board)) {
    if (!type.gpu_instance.empty()) continue;
    types.push_back({type.id ? *type.id : made_up++, &type});
  }
  return types;
}

unsigned room_for(const catalog::VgpuType& type, const std::vector<const catalog::VgpuType*>& present) {
  const bool mixes =
      std::ranges::any_of(present, [&](const auto* other) { return !equal_size(type, *other); });
  const unsigned most = type.max.value_or(1);
  const auto count = static_cast<unsigned>(present.size());
  return mixes || count >= most ? 0 : most - count;
}

}  // namespace gpuhost
