#include "kinds/mig_instances.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kinds/gpu_selection.hpp"

namespace gpuhost {

std::string instance_text(std::string_view profile, unsigned start) {
  return fmt::format("{}@{}", profile, start);
}

std::string instance_text(const Mig& mig, const GpuInstance& instance) {
  std::string name = fmt::format("profile {}", instance.profile);
  if (mig.profiles)
    for (const auto& profile : *mig.profiles)
      if (profile.id == instance.profile) name = profile.name;
  return instance_text(name, instance.placement.start);
}

std::string instance_object(const Gpu& gpu, std::string_view instance) {
  return gpu_object(gpu, fmt::format("mig[{}]", instance));
}

bool has_foreign_instances(const Gpu& gpu, const Mig& mig, const Ownership::Objects& owned) {
  if (mig.instances.is_unknown()) return true;
  return mig.instances && std::ranges::any_of(*mig.instances, [&](const GpuInstance& instance) {
           return !owned.contains(instance_object(gpu, instance_text(mig, instance)));
         });
}

}  // namespace gpuhost
