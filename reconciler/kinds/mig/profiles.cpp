#include "kinds/mig/profiles.hpp"

#include <algorithm>
#include <iterator>

#include "base/text.hpp"
#include "catalog/mig.hpp"

namespace gpuhost {

std::vector<GpuInstanceProfile> known_mig_profiles(std::uint16_t device_id) {
  std::vector<GpuInstanceProfile> profiles;
  const auto* gpu = catalog::mig_gpu_of(device_id);
  if (gpu == nullptr) return profiles;
  for (const auto& known : catalog::mig_profiles_of(*gpu)) {
    if (!known.id || !known.size) continue;
    GpuInstanceProfile profile{.id = *known.id,
                               .name = std::string(known.name),
                               .slices = known.slices,
                               .most = known.max,
                               .memory_mb = known.memory_mb.value_or(0),
                               .placements = {}};
    for (const auto start : known.starts) profile.placements.push_back({start, *known.size});
    profiles.push_back(std::move(profile));
  }
  std::ranges::sort(profiles, {}, &GpuInstanceProfile::id);
  return profiles;
}

const GpuInstanceProfile* find_profile(std::span<const GpuInstanceProfile> profiles, std::string_view name) {
  const auto found = std::ranges::find_if(
      profiles, [&](const GpuInstanceProfile& one) { return catalog::same_mig_profile(one.name, name); });
  return found == profiles.end() ? nullptr : &*found;
}

std::string profile_names(std::span<const GpuInstanceProfile> profiles) {
  std::vector<std::string> names;
  std::ranges::transform(profiles, std::back_inserter(names), &GpuInstanceProfile::name);
  std::ranges::sort(names);
  return join(names, ", ");
}

}  // namespace gpuhost
