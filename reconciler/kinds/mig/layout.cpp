#include "kinds/mig/layout.hpp"

#include <algorithm>
#include <compare>
#include <cstdint>
#include <numeric>
#include <utility>

namespace gpuhost {

namespace {

using Profiles = std::span<const GpuInstanceProfile>;

/// Memory slices as bits.
using Slices = std::uint64_t;

Slices slices_of(MigPlacement at) {
  return ((Slices{1} << at.size) - 1) << at.start;
}

/// In the order in which they count.
struct Cost {
  std::size_t busy_destroyed = 0;
  std::size_t idle_destroyed = 0;
  auto operator<=>(const Cost&) const = default;
};

/// Whether compute slices and the counts of profiles allow them; placements are another matter.
bool within_limits(Profiles profiles, std::span<const WantedInstance> wanted) {
  unsigned slices = 0;
  for (const auto& one : wanted) {
    const auto* profile = find_profile(profiles, one.profile);
    if (profile == nullptr) return false;
    if (std::ranges::count(wanted, one.profile, &WantedInstance::profile) >
        static_cast<std::ptrdiff_t>(profile->most))
      return false;
    slices += profile->slices;
  }
  return slices <= compute_slices_of(profiles);
}

/// Tries every way to place the wanted instances, the largest first; there are a few thousand at most. What
/// is destroyed is what is not kept, and what is created is what is wanted and not kept, so that keeping
/// decides all.
class Search {
 public:
  Search(Profiles profiles, std::span<const GpuInstance> present, std::span<const WantedInstance> wanted,
         BusyInstances busy)
      : present_(present), wanted_(wanted), busy_(busy), order_(wanted.size()), chosen_(wanted.size()) {
    for (const auto& one : wanted) profiles_.push_back(find_profile(profiles, one.profile));
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::stable_sort(order_, [&](std::size_t a, std::size_t b) { return rank(a) > rank(b); });
  }

  std::optional<MigLayout> best() {
    place(0, 0);
    return best_;
  }

 private:
  struct Rank {
    unsigned size, slices, profile;
    bool fixed;
    auto operator<=>(const Rank&) const = default;
  };

  /// Equal instances come one after another, those with a place of their own before those without.
  [[nodiscard]] Rank rank(std::size_t i) const {
    const auto& profile = *profiles_[i];
    const auto size = profile.placements.empty() ? 0 : profile.placements.front().size;
    return {size, profile.slices, profile.id, wanted_[i].start.has_value()};
  }

  [[nodiscard]] const GpuInstance* present_at(std::size_t i, MigPlacement at) const {
    const auto found = std::ranges::find_if(present_, [&](const GpuInstance& one) {
      return one.profile == wanted_[i].profile && one.placement == at;
    });
    return found == present_.end() ? nullptr : &*found;
  }

  void place(std::size_t depth, Slices taken) {
    if (best_ && best_cost_ == Cost{}) return;
    if (depth == order_.size()) return finish();
    const auto i = order_[depth];
    // Two equal instances that change places are the same layout.
    const bool equals_last = depth > 0 && wanted_[order_[depth - 1]] == wanted_[i];
    for (const auto at : profiles_[i]->placements) {
      if (wanted_[i].start.value_or(at.start) != at.start || (taken & slices_of(at)) != 0) continue;
      if (equals_last && at.start < chosen_[order_[depth - 1]].placement.start) continue;
      const auto* there = present_at(i, at);
      chosen_[i] = {at, there == nullptr ? std::nullopt : std::optional(there->id)};
      place(depth + 1, taken | slices_of(at));
    }
  }

  void finish() {
    MigLayout layout{.places = chosen_, .destroyed = {}};
    Cost cost;
    for (const auto& one : present_) {
      if (std::ranges::find(chosen_, std::optional(one.id), &MigLayout::Place::kept) != chosen_.end())
        continue;
      layout.destroyed.push_back(one.id);
      ++(one.busy() ? cost.busy_destroyed : cost.idle_destroyed);
    }
    if (cost.busy_destroyed > 0 && busy_ == BusyInstances::stay) return;
    if (best_ && cost >= best_cost_) return;
    std::ranges::sort(layout.destroyed);
    best_ = std::move(layout);
    best_cost_ = cost;
  }

  std::span<const GpuInstance> present_;
  std::span<const WantedInstance> wanted_;
  BusyInstances busy_;
  std::vector<const GpuInstanceProfile*> profiles_;  ///< of each wanted instance
  std::vector<std::size_t> order_;                   ///< of wanted instances, the largest first
  std::vector<MigLayout::Place> chosen_;             ///< so far, of each wanted instance
  std::optional<MigLayout> best_;
  Cost best_cost_;
};

}  // namespace

std::optional<MigLayout> solve_layout(Profiles profiles, std::span<const GpuInstance> present,
                                      std::span<const WantedInstance> wanted, BusyInstances busy) {
  if (!within_limits(profiles, wanted)) return std::nullopt;
  return Search(profiles, present, wanted, busy).best();
}

std::vector<std::vector<WantedInstance>> full_layouts(Profiles profiles) {
  std::vector<GpuInstanceProfile> largest_first(profiles.begin(), profiles.end());
  std::ranges::sort(largest_first, std::ranges::greater{}, [](const auto& profile) {
    return std::pair(profile.slices, profile.placements.empty() ? 0 : profile.placements.front().size);
  });
  std::vector<std::vector<WantedInstance>> full;
  std::vector<WantedInstance> chosen;
  const auto fits_with = [&](const GpuInstanceProfile& profile) {
    chosen.push_back({profile.id, std::nullopt});
    const bool fits = solve_layout(largest_first, {}, chosen).has_value();
    chosen.pop_back();
    return fits;
  };
  // Each set once: profiles are added in their order.
  const auto extend = [&](const auto& self, std::size_t first) -> void {
    if (std::ranges::none_of(largest_first, fits_with)) full.push_back(chosen);
    for (auto i = first; i < largest_first.size(); ++i) {
      if (!fits_with(largest_first[i])) continue;
      chosen.push_back({largest_first[i].id, std::nullopt});
      self(self, i);
      chosen.pop_back();
    }
  };
  if (!profiles.empty()) extend(extend, 0);
  return full;
}

unsigned compute_slices_of(Profiles profiles) {
  unsigned slices = 0;
  for (const auto& profile : profiles) slices = std::max(slices, profile.slices);
  return slices;
}

unsigned memory_slices_of(Profiles profiles) {
  unsigned slices = 0;
  for (const auto& profile : profiles)
    for (const auto& at : profile.placements) slices = std::max(slices, at.start + at.size);
  return slices;
}

const GpuInstanceProfile* find_profile(Profiles profiles, unsigned id) {
  const auto found = std::ranges::find(profiles, id, &GpuInstanceProfile::id);
  return found == profiles.end() ? nullptr : &*found;
}

}  // namespace gpuhost
