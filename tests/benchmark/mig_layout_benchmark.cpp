// How long it takes to find the layout of a GPU: the worst of many, on an empty GPU and one that is cut up.

#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "kinds/mig/layout.hpp"
#include "kinds/mig/profiles.hpp"

namespace {

using namespace gpuhost;

std::vector<WantedInstance> wanted_of(const std::vector<GpuInstanceProfile>& profiles,
                                      std::initializer_list<const char*> names) {
  std::vector<WantedInstance> wanted;
  for (const auto* name : names) wanted.push_back({find_profile(profiles, name)->id, {}});
  return wanted;
}

/// Instances of `wanted` at the last places, as if others had been in the way when they were made.
std::vector<GpuInstance> cut_up(const std::vector<GpuInstanceProfile>& profiles, const char* name) {
  std::vector<GpuInstance> present;
  const auto& profile = *find_profile(profiles, name);
  for (const auto at : profile.placements)
    if (at.start % 2 != 0)
      present.push_back({.id = at.start, .profile = profile.id, .placement = at, .vgpus = 1});
  return present;
}

void solve(benchmark::State& state, std::uint16_t device_id, std::initializer_list<const char*> names,
           const char* lying, BusyInstances busy) {
  const auto profiles = known_mig_profiles(device_id);
  const auto wanted = wanted_of(profiles, names);
  const auto present = cut_up(profiles, lying);
  for (auto unused : state) benchmark::DoNotOptimize(solve_layout(profiles, present, wanted, busy));
}

BENCHMARK_CAPTURE(solve, a100_seven, 0x20f1,
                  {"1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb+me"}, "1g.5gb",
                  BusyInstances::stay);
BENCHMARK_CAPTURE(solve, a100_mixed, 0x20f1, {"2g.10gb", "1g.10gb", "1g.5gb", "1g.5gb+me", "1g.5gb"},
                  "1g.5gb", BusyInstances::may_go);
BENCHMARK_CAPTURE(solve, a100_none, 0x20f1, {"3g.20gb", "1g.10gb", "1g.5gb", "1g.5gb", "1g.5gb+me"}, "1g.5gb",
                  BusyInstances::stay);
BENCHMARK_CAPTURE(solve, rtx_pro_6000, 0x2bb5, {"1g.24gb", "1g.24gb+gfx", "1g.24gb+me.all", "1g.24gb-me"},
                  "1g.24gb+me", BusyInstances::may_go);

}  // namespace

BENCHMARK_MAIN();
