#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kinds/mig/layout.hpp"
#include "kinds/mig/profiles.hpp"

namespace gpuhost {
namespace {

/// Profile and placement of one instance.
using Lying = std::pair<unsigned, MigPlacement>;
using Multiset = std::map<unsigned, unsigned>;  ///< how many of each profile

Multiset counts_of(const std::vector<Lying>& instances) {
  Multiset counts;
  for (const auto& [profile, at] : instances) ++counts[profile];
  return counts;
}

/// Everything a GPU can hold, found by leaving in and leaving out each place of each profile: no order, no
/// preference and no code of the solver.
class Everything {
 public:
  explicit Everything(std::uint16_t device_id) : profiles(known_mig_profiles(device_id)) {
    for (const auto& profile : profiles) {
      compute_ = std::max(compute_, profile.slices);
      for (const auto at : profile.placements) places_.emplace_back(profile.id, at);
    }
    std::vector<Lying> none;
    add(0, none);
  }

  /// Those with no more compute slices, and no more of a profile, than there are.
  [[nodiscard]] std::vector<Multiset> within_limits() const {
    std::vector<Multiset> sums{{}};
    for (const auto& profile : profiles) {
      std::vector<Multiset> more;
      for (const auto& counts : sums)
        for (unsigned count = 0; count <= profile.most; ++count) {
          auto with = counts;
          if (count > 0) with[profile.id] = count;
          if (compute_of(with) <= compute_) more.push_back(std::move(with));
        }
      sums = std::move(more);
    }
    return sums;
  }

  std::vector<GpuInstanceProfile> profiles;
  std::map<Multiset, std::vector<std::vector<Lying>>> layouts;  ///< of each multiset that can be placed
  std::vector<std::vector<Lying>> all;

 private:
  [[nodiscard]] const GpuInstanceProfile& profile(unsigned id) const {
    return *std::ranges::find(profiles, id, &GpuInstanceProfile::id);
  }

  [[nodiscard]] unsigned compute_of(const Multiset& counts) const {
    unsigned compute = 0;
    for (const auto& [id, count] : counts) compute += count * profile(id).slices;
    return compute;
  }

  void add(std::size_t next, std::vector<Lying>& chosen) {
    if (next == places_.size()) {
      layouts[counts_of(chosen)].push_back(chosen);
      all.push_back(chosen);
      return;
    }
    add(next + 1, chosen);
    const auto& place = places_[next];
    if (std::ranges::any_of(chosen, [&](const Lying& other) { return other.second.overlaps(place.second); }))
      return;
    chosen.push_back(place);
    const auto counts = counts_of(chosen);
    if (compute_of(counts) <= compute_ && counts.at(place.first) <= profile(place.first).most)
      add(next + 1, chosen);
    chosen.pop_back();
  }

  std::vector<Lying> places_;
  unsigned compute_ = 0;
};

std::vector<WantedInstance> wanted_of(const Multiset& counts) {
  std::vector<WantedInstance> wanted;
  for (const auto& [profile, count] : counts) wanted.insert(wanted.end(), count, {profile, std::nullopt});
  return wanted;
}

/// Each wanted instance lies where its profile may, kept ones are there, and nothing overlaps.
void expect_sound(const Everything& gpu, const std::vector<GpuInstance>& present,
                  const std::vector<WantedInstance>& wanted, const MigLayout& layout) {
  ASSERT_EQ(layout.places.size(), wanted.size());
  std::set<unsigned> gone(layout.destroyed.begin(), layout.destroyed.end());
  EXPECT_EQ(gone.size(), layout.destroyed.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& [placement, kept] = layout.places[i];
    const auto& profile = *find_profile(gpu.profiles, wanted[i].profile);
    EXPECT_THAT(profile.placements, ::testing::Contains(placement));
    EXPECT_EQ(wanted[i].start.value_or(placement.start), placement.start);
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(layout.places[j].placement.overlaps(placement));
    if (!kept) continue;
    const auto there = std::ranges::find(present, *kept, &GpuInstance::id);
    ASSERT_NE(there, present.end());
    EXPECT_EQ(there->profile, wanted[i].profile);
    EXPECT_EQ(there->placement, placement);
    EXPECT_TRUE(gone.insert(*kept).second);
  }
  EXPECT_EQ(gone.size(), present.size());  // each one is kept or destroyed, and none twice
}

struct Board {
  const char* name;
  std::uint16_t device_id;
};

class MigLayouts : public ::testing::TestWithParam<Board> {
 protected:
  Everything gpu{GetParam().device_id};
};

INSTANTIATE_TEST_SUITE_P(Boards, MigLayouts,
                         ::testing::Values(Board{"A30", 0x20b7}, Board{"A100", 0x20f1}, Board{"H100", 0x2331},
                                           Board{"H200", 0x2335}, Board{"RtxPro6000", 0x2bb5}),
                         [](const auto& board) { return std::string(board.param.name); });

TEST_P(MigLayouts, AreFoundExactlyWhereThereAreAny) {
  for (const auto& counts : gpu.within_limits()) {
    const auto wanted = wanted_of(counts);
    const auto layout = solve_layout(gpu.profiles, {}, wanted);
    ASSERT_EQ(layout.has_value(), gpu.layouts.contains(counts)) << ::testing::PrintToString(counts);
    if (layout) expect_sound(gpu, {}, wanted, *layout);
  }
}

TEST_P(MigLayouts, AreFullWhereNothingCanBeAdded) {
  std::set<Multiset> expected;
  for (const auto& [counts, ways] : gpu.layouts) {
    const bool can_grow = std::ranges::any_of(gpu.profiles, [&](const GpuInstanceProfile& profile) {
      auto more = counts;
      ++more[profile.id];
      return gpu.layouts.contains(more);
    });
    if (!can_grow) expected.insert(counts);
  }
  std::set<Multiset> found;
  for (const auto& layout : full_layouts(gpu.profiles)) {
    Multiset counts;
    for (const auto& one : layout) ++counts[one.profile];
    EXPECT_TRUE(found.insert(counts).second);
  }
  EXPECT_EQ(found, expected);
}

TEST_P(MigLayouts, DestroyTheLeast) {
  std::mt19937 random(GetParam().device_id);  // NOLINT(cert-msc51-cpp): the same sample each time
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random()) % bound; };
  std::size_t moved = 0;
  std::size_t refused = 0;
  for (int sample = 0; sample < 2000; ++sample) {
    std::vector<GpuInstance> present;
    for (const auto& [profile, at] : gpu.all[below(gpu.all.size())])
      present.push_back({.id = static_cast<unsigned>(present.size()),
                         .profile = profile,
                         .placement = at,
                         .vgpus = below(3) == 0 ? 1U : 0U});
    const auto& goal = gpu.all[below(gpu.all.size())];
    auto wanted = wanted_of(counts_of(goal));
    std::ranges::shuffle(wanted, random);
    for (auto& one : wanted)
      if (below(4) == 0) one.start = std::ranges::find(goal, one.profile, &Lying::first)->second.start;

    std::optional<std::pair<std::size_t, std::size_t>> least;  // busy and idle ones destroyed
    for (const auto& lying : gpu.layouts.at(counts_of(goal))) {
      const bool has_fixed = std::ranges::all_of(wanted, [&](const WantedInstance& one) {
        const auto as_fixed = [&](const Lying& at) {
          return at.first == one.profile && at.second.start == *one.start;
        };
        // Two that are fixed at one place cannot both be had.
        return !one.start || (std::ranges::any_of(lying, as_fixed) && std::ranges::count(wanted, one) == 1);
      });
      if (!has_fixed) continue;
      std::pair<std::size_t, std::size_t> cost;
      for (const auto& one : present)
        if (std::ranges::find(lying, Lying(one.profile, one.placement)) == lying.end())
          ++(one.busy() ? cost.first : cost.second);
      if (!least || cost < *least) least = cost;
    }

    const auto layout = solve_layout(gpu.profiles, present, wanted, BusyInstances::may_go);
    ASSERT_EQ(layout.has_value(), least.has_value());
    const auto staying = solve_layout(gpu.profiles, present, wanted);
    ASSERT_EQ(staying.has_value(), least && least->first == 0);
    refused += staying ? 0 : 1;
    if (!layout) continue;
    expect_sound(gpu, present, wanted, *layout);
    std::pair<std::size_t, std::size_t> cost;
    for (const auto id : layout->destroyed) ++(present[id].busy() ? cost.first : cost.second);
    EXPECT_EQ(cost, *least);
    EXPECT_TRUE(!staying || *staying == *layout);
    moved += layout->destroyed.empty() ? 0 : 1;
  }
  EXPECT_GT(moved, 100U);
  EXPECT_GT(refused, 100U);
}

TEST(MigLayout, OfAnA100Are127Of170) {
  const Everything a100(0x20f1);
  // Beside the one without instances.
  EXPECT_EQ(a100.within_limits().size() - 1, 170U);
  EXPECT_EQ(a100.layouts.size() - 1, 127U);
}

/// By name, each with a place where it shall lie or -1.
std::vector<WantedInstance> named(const std::vector<GpuInstanceProfile>& profiles,
                                  const std::vector<std::pair<const char*, int>>& instances) {
  std::vector<WantedInstance> wanted;
  for (const auto& [name, start] : instances)
    wanted.push_back({find_profile(profiles, name)->id,
                      start < 0 ? std::nullopt : std::optional(static_cast<unsigned>(start))});
  return wanted;
}

TEST(MigLayout, IsThatOfTheOrderInWhichInstancesAreWanted) {
  const auto profiles = known_mig_profiles(0x20f1);
  const auto layout = solve_layout(profiles, {}, named(profiles, {{"1g.5gb", -1}, {"3g.20gb", -1}}));
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->places[0].placement, (MigPlacement{4, 1}));
  EXPECT_EQ(layout->places[1].placement, (MigPlacement{0, 4}));
}

TEST(MigLayout, KeepsABusyInstanceAndMovesAnIdleOne) {
  const auto profiles = known_mig_profiles(0x20f1);
  const auto profile = find_profile(profiles, "1g.5gb")->id;
  const std::vector<GpuInstance> present{
      {.id = 7, .profile = profile, .placement = {0, 1}},
      {.id = 9, .profile = profile, .placement = {6, 1}, .processes = {11}}};
  const auto wanted = named(profiles, {{"1g.5gb", -1}, {"3g.20gb", -1}});
  const auto layout = solve_layout(profiles, present, wanted);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->places[0], (MigLayout::Place{{6, 1}, 9}));
  EXPECT_EQ(layout->places[1], (MigLayout::Place{{0, 4}, std::nullopt}));
  EXPECT_EQ(layout->destroyed, std::vector{7U});

  const auto whole = named(profiles, {{"7g.40gb", -1}});
  EXPECT_FALSE(solve_layout(profiles, present, whole));
  EXPECT_TRUE(solve_layout(profiles, present, whole, BusyInstances::may_go));
}

TEST(MigLayout, OfAProfileThatTheGpuLacksIsNone) {
  const auto profiles = known_mig_profiles(0x20b7);
  EXPECT_FALSE(solve_layout(profiles, {}, std::vector<WantedInstance>{{99, std::nullopt}}));
  EXPECT_TRUE(solve_layout(profiles, {}, {}));
}

}  // namespace
}  // namespace gpuhost
