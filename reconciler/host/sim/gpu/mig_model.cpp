#include "host/sim/gpu/mig_model.hpp"

#include <algorithm>

namespace gpuhost {

namespace {

std::unexpected<MigRefusal> refuse(MigRefusal why) {
  return std::unexpected(why);
}

template <class Instances>
unsigned lowest_free_id(const Instances& instances) {
  unsigned id = 0;
  while (std::ranges::find(instances, id, &Instances::value_type::id) != instances.end()) ++id;
  return id;
}

/// Keeps the ids ascending.
template <class Instances>
auto* insert_by_id(Instances& instances, typename Instances::value_type made) {
  const auto at = std::ranges::lower_bound(instances, made.id, {}, &Instances::value_type::id);
  return &*instances.insert(at, std::move(made));
}

}  // namespace

MigAnswer<void> MigModel::set_mode(bool on, bool held) {
  if (hardware_.profiles.empty()) return refuse(MigRefusal::unsupported);
  state_.mode.pending = on;
  if (state_.mode.current == on) return {};
  if (held) return refuse(MigRefusal::in_use);
  state_.mode.current = on;
  lose_instances();
  return {};
}

void MigModel::restart() {
  const bool on = hardware_.stores_mode && state_.mode.pending;
  state_.mode = {on, on};
  lose_instances();
}

MigAnswer<GpuInstance*> MigModel::create(unsigned profile_id, std::optional<MigPlacement> placement) {
  if (!state_.mode.current) return refuse(MigRefusal::unsupported);
  const auto* made_of = profile(profile_id);
  if (made_of == nullptr) return refuse(MigRefusal::invalid);
  const auto& possible = made_of->placements;
  if (placement && std::ranges::find(possible, *placement) == possible.end())
    return refuse(MigRefusal::invalid);
  if (!placement) {
    const auto free = std::ranges::find_if(possible, [&](auto at) { return is_free(*made_of, at); });
    if (free == possible.end()) return refuse(MigRefusal::insufficient_resources);
    placement = *free;
  }
  if (!is_free(*made_of, *placement)) return refuse(MigRefusal::insufficient_resources);
  const unsigned usual = id_of(*placement);
  const unsigned id = instance(usual) == nullptr ? usual : lowest_free_id(state_.instances);
  return insert_by_id(state_.instances, {.id = id, .profile = profile_id, .placement = *placement});
}

MigAnswer<void> MigModel::destroy(unsigned id) {
  const auto* found = instance(id);
  if (found == nullptr) return refuse(MigRefusal::not_found);
  if (!found->compute_instances.empty() || shown(*found).busy()) return refuse(MigRefusal::in_use);
  std::erase_if(state_.instances, [&](const GpuInstance& one) { return one.id == id; });
  return {};
}

MigAnswer<ComputeInstance*> MigModel::create_compute(unsigned gpu_instance, unsigned slices,
                                                     std::optional<MigPlacement> placement) {
  auto* const parent = instance(gpu_instance);
  if (parent == nullptr) return refuse(MigRefusal::not_found);
  const auto* made_of = profile(parent->profile);
  const auto possible = compute_placements(made_of == nullptr ? 0 : made_of->slices, slices);
  if (possible.empty()) return refuse(MigRefusal::unsupported);
  if (placement && std::ranges::find(possible, *placement) == possible.end())
    return refuse(MigRefusal::invalid);
  const auto is_taken = [&](MigPlacement at) {
    return std::ranges::any_of(parent->compute_instances,
                               [&](const auto& other) { return other.placement.overlaps(at); });
  };
  const auto free =
      placement ? std::ranges::find(possible, *placement) : std::ranges::find_if_not(possible, is_taken);
  if (free == possible.end() || is_taken(*free)) return refuse(MigRefusal::insufficient_resources);
  return insert_by_id(parent->compute_instances, {lowest_free_id(parent->compute_instances), *free});
}

MigAnswer<void> MigModel::destroy_compute(unsigned gpu_instance, unsigned id) {
  auto* const parent = instance(gpu_instance);
  if (parent == nullptr) return refuse(MigRefusal::not_found);
  auto& all = parent->compute_instances;
  const auto found = std::ranges::find(all, id, &ComputeInstance::id);
  if (found == all.end()) return refuse(MigRefusal::not_found);
  if (!shown(*parent).processes.empty()) return refuse(MigRefusal::in_use);
  all.erase(found);
  return {};
}

MigAnswer<unsigned> MigModel::room(unsigned profile_id) const {
  const auto* made_of = profile(profile_id);
  if (made_of == nullptr) return refuse(MigRefusal::invalid);
  MigState trial = state_;
  trial.mode.current = true;
  MigModel further(hardware_, trial, alive_);
  unsigned count = 0;
  while (further.create(profile_id, std::nullopt)) ++count;
  return count;
}

const GpuInstanceProfile* MigModel::profile(unsigned id) const {
  const auto found = std::ranges::find(hardware_.profiles, id, &GpuInstanceProfile::id);
  return found == hardware_.profiles.end() ? nullptr : &*found;
}

GpuInstance* MigModel::instance(unsigned id) {
  const auto found = std::ranges::find(state_.instances, id, &GpuInstance::id);
  return found == state_.instances.end() ? nullptr : &*found;
}

GpuInstance MigModel::shown(const GpuInstance& instance) const {
  auto seen = instance;
  std::erase_if(seen.processes, [&](int pid) { return !alive_(pid); });
  return seen;
}

bool MigModel::is_free(const GpuInstanceProfile& made_of, MigPlacement placement) const {
  unsigned of_profile = 0;
  unsigned slices = made_of.slices;
  for (const auto& other : state_.instances) {
    if (other.placement.overlaps(placement)) return false;
    if (other.profile == made_of.id) ++of_profile;
    if (const auto* known = profile(other.profile)) slices += known->slices;
  }
  const auto most = std::ranges::max(hardware_.profiles, {}, &GpuInstanceProfile::slices).slices;
  return of_profile < made_of.most && slices <= most;
}

/// The driver numbers the places: the whole GPU is 0, its halves 1 and 2, quarters 3 to 6, and so on; so the
/// MIG user guide shows 2g.10gb at 0:2 as instance 3, and 1g.5gb at 2:1 as instance 9.
unsigned MigModel::id_of(MigPlacement placement) const {
  unsigned units = 0;
  for (const auto& known : hardware_.profiles)
    for (const auto& at : known.placements) units = std::max(units, at.start + at.size);
  return units / placement.size - 1 + placement.start / placement.size;
}

std::vector<MigPlacement> compute_placements(unsigned gpu_instance_slices, unsigned slices) {
  const bool is_whole = slices == gpu_instance_slices;
  const bool is_part = slices >= 1 && slices <= (gpu_instance_slices == 4 ? 2U : 4U);
  if (slices == 0 || slices > gpu_instance_slices || !(is_whole || is_part)) return {};
  const unsigned step = slices <= 2 ? slices : 4;
  std::vector<MigPlacement> placements;
  for (unsigned start = 0; start + slices <= gpu_instance_slices; start += step)
    placements.push_back({start, slices});
  return placements;
}

}  // namespace gpuhost
