#include <algorithm>
#include <functional>

#include "catalog/mig.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/mig/layout.hpp"
#include "kinds/mig/profiles.hpp"
#include "kinds/mig/steps.hpp"

namespace gpuhost {

namespace {

using Wishes = std::vector<ForGpus<MigWish>>;

/// As the document names it, or by its address where it does not.
SelectedGpu selected_in(const Wishes& wishes, const Inventory& inventory, const Gpu& gpu) {
  for (const auto& [entry, wish] : wishes)
    for (auto& selected : select_gpus(entry, inventory).gpus)
      if (selected.gpu == &gpu) return std::move(selected);
  return {.gpu = &gpu, .label = gpu.address.to_string(), .name = {}};
}

/// What a step of a bracket does is given back by its end, and so belongs to no document.
Step unclaimed(Step step) {
  step.claims.reset();
  return step;
}

/// What was on the GPU comes back on top of what carries it.
void need_ground(const Gpu& gpu, Step& step) {
  step.needs.push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
  if (!gpu.functions.empty()) step.needs.push_back(gpu_facts::functions_enabled(gpu.address));
}

Offer without_instance(const SelectedGpu& selected, const Mig& mig, const GpuInstance& instance) {
  const auto& gpu = *selected.gpu;
  const auto* profile = find_profile(*mig.profiles, instance.profile);
  const auto text = instance_text(mig, instance);
  const auto address = gpu_address(selected, "mig[" + text + "]");
  auto acquire = destroy_step(selected, address, mig, instance);
  acquire.needs.push_back(gpu_facts::without_vgpus(gpu.address));
  acquire.needs_now.push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
  acquire.ends.push_back(gpu_facts::with_instance(gpu.address, profile->name));
  NamedInstance again{.label = text, .profile = profile, .instance = {}, .compute = std::vector<unsigned>{}};
  for (const auto& compute : instance.compute_instances) again.compute->push_back(compute.placement.size);
  std::ranges::sort(*again.compute, std::ranges::greater{});
  auto release = unclaimed(create_step(selected, again, instance.placement));
  release.ends = {gone_fact(gpu, instance.id)};
  need_ground(gpu, release);
  return {.needs = {}, .acquire = std::move(acquire), .release = std::move(release)};
}

/// The mode is switched by itself, so that a GPU that forgets it has it again before instances are made.
Offer without_mode(const SelectedGpu& selected, const Mig& mig, const Usage& usage) {
  auto acquire = unclaimed(mode_step(selected, mig.mode, false, usage));
  if (mig.instances)
    for (const auto& instance : *mig.instances)
      acquire.needs.push_back(gone_fact(*selected.gpu, instance.id));
  return {.needs = {},
          .acquire = std::move(acquire),
          .release = unclaimed(mode_step(selected, GpuSwitch{false, false}, true, usage))};
}

bool keeps_mode(const Gpu& gpu) {
  const auto* known = catalog::mig_gpu_of(gpu.device_id);
  return known == nullptr || known->keeps_mode;
}

}  // namespace

std::vector<Offer> MigLayouts::offer_from(const Fact& fact, const MigLayoutsState& state,
                                          const PlanInput&) const {
  const auto* inventory = gpus_or_none(*state.inventory);
  if (inventory == nullptr) return {};
  for (const auto& gpu : inventory->gpus) {
    if (fact.subject != gpu_facts::subject(gpu.address)) continue;
    const auto mig = state.mig_of(gpu);
    if (!mig || !*mig || !(*mig)->mode.current || !(*mig)->instances || !(*mig)->profiles) return {};
    const auto& instances = *(*mig)->instances;
    const auto selected = selected_in(wishes_, *inventory, gpu);
    for (const auto& instance : instances)
      if (fact == gone_fact(gpu, instance.id) && find_profile(*(*mig)->profiles, instance.profile) != nullptr)
        return {without_instance(selected, **mig, instance)};
    if (fact == gpu_facts::mig_mode(gpu.address, false)) return {without_mode(selected, **mig, *state.usage)};
    Offer each;
    if (fact == gpu_facts::without_volatile_mig(gpu.address) && !keeps_mode(gpu))
      each.needs.push_back(gpu_facts::mig_mode(gpu.address, false));
    else if (fact != gpu_facts::without_instances(gpu.address) &&
             fact != gpu_facts::without_volatile_mig(gpu.address))
      return {};
    for (const auto& instance : instances) each.needs.push_back(gone_fact(gpu, instance.id));
    return {std::move(each)};
  }
  return {};
}

}  // namespace gpuhost
