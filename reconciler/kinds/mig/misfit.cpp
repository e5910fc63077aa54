#include "kinds/mig/misfit.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

using Profiles = std::span<const GpuInstanceProfile>;
using Wanted = std::vector<WantedInstance>;

std::string number_text(unsigned number) {
  return number == 1 ? "one" : std::to_string(number);
}

unsigned size_of(const GpuInstanceProfile& profile) {
  return profile.placements.empty() ? 0 : profile.placements.front().size;
}

std::string starts_text(const GpuInstanceProfile& profile) {
  std::vector<std::string> starts;
  for (const auto at : profile.placements) starts.push_back(std::to_string(at.start));
  return join(starts, ", ");
}

unsigned sum_over(Profiles profiles, const Wanted& wanted, unsigned (*of)(const GpuInstanceProfile&)) {
  unsigned sum = 0;
  for (const auto& one : wanted) sum += of(*find_profile(profiles, one.profile));
  return sum;
}

/// Why `one` cannot be had beside `others` for want of slices of a sort; empty: there are enough of them.
std::string lack_of(Profiles profiles, const Wanted& others, const GpuInstanceProfile& one, const char* sort,
                    unsigned all, unsigned (*of)(const GpuInstanceProfile&)) {
  const auto used = sum_over(profiles, others, of);
  if (used + of(one) <= all) return {};
  return fmt::format("{} {} {} {} slices; {} needs {}", instances_text(profiles, others),
                     others.size() == 1 ? "uses" : "use",
                     used == all ? fmt::format("all {}", all) : fmt::format("{} of {}", used, all), sort,
                     one.name, number_text(of(one)));
}

std::string busy_text(Profiles profiles, std::span<const GpuInstance> present) {
  std::vector<std::string> busy;
  for (const auto& one : present) {
    if (!one.busy()) continue;
    const auto* profile = find_profile(profiles, one.profile);
    busy.push_back(
        fmt::format("{} at {}", profile == nullptr ? "an instance" : profile->name, one.placement.start));
  }
  return join(busy, ", ");
}

/// Why `one` cannot be had beside `others`, which fit.
std::string reason_beside(Profiles profiles, const Wanted& others, const WantedInstance& one) {
  const auto& profile = *find_profile(profiles, one.profile);
  const auto starts = starts_text(profile);
  if (one.start &&
      std::ranges::find(profile.placements, *one.start, &MigPlacement::start) == profile.placements.end())
    return fmt::format("{} cannot start at memory slice {}; it can at {}", profile.name, *one.start, starts);
  if (std::ranges::count(others, one.profile, &WantedInstance::profile) >=
      static_cast<std::ptrdiff_t>(profile.most))
    return fmt::format("the GPU takes {} {} at most", number_text(profile.most), profile.name);
  if (auto why = lack_of(profiles, others, profile, "memory", memory_slices_of(profiles), size_of);
      !why.empty())
    return why;
  if (auto why = lack_of(profiles, others, profile, "compute", compute_slices_of(profiles),
                         [](const GpuInstanceProfile& of) { return of.slices; });
      !why.empty())
    return why;
  return fmt::format("{} leave {} no place: it {} start at memory slice {}", instances_text(profiles, others),
                     profile.name, one.start ? "shall" : "can only",
                     one.start ? std::to_string(*one.start) : starts);
}

/// The largest first, since they have the fewest places.
Wanted by_size(Profiles profiles, std::span<const WantedInstance> wanted) {
  Wanted sorted(wanted.begin(), wanted.end());
  std::ranges::stable_sort(sorted, std::ranges::greater{}, [&](const WantedInstance& one) {
    const auto& profile = *find_profile(profiles, one.profile);
    return std::pair(size_of(profile), profile.slices);
  });
  return sorted;
}

/// Taken one by one: those that can be had together on an empty GPU.
Wanted fitting(Profiles profiles, const Wanted& sorted) {
  Wanted fits;
  for (const auto& one : sorted) {
    fits.push_back(one);
    if (!solve_layout(profiles, {}, fits)) fits.pop_back();
  }
  return fits;
}

}  // namespace

std::string instances_text(Profiles profiles, std::span<const WantedInstance> wanted) {
  std::vector<std::pair<unsigned, std::size_t>> counts;
  for (const auto& one : wanted) {
    const auto same = std::ranges::find(counts, one.profile, &std::pair<unsigned, std::size_t>::first);
    if (same == counts.end())
      counts.emplace_back(one.profile, 1);
    else
      ++same->second;
  }
  std::vector<std::string> parts;
  for (const auto& [id, count] : counts) {
    const auto* profile = find_profile(profiles, id);
    const auto name = profile == nullptr ? fmt::format("profile {}", id) : profile->name;
    if (count <= 2)
      parts.insert(parts.end(), count, name);
    else
      parts.push_back(fmt::format("{} x {}", count, name));
  }
  return parts.empty() ? "nothing" : join(parts, " + ");
}

Misfit explain_misfit(Profiles profiles, std::span<const GpuInstance> present,
                      std::span<const WantedInstance> wanted) {
  const auto sorted = by_size(profiles, wanted);
  const auto fits = fitting(profiles, sorted);
  if (fits.size() == sorted.size())
    return {fmt::format("busy instances stay ({}), and {} cannot lie beside them",
                        busy_text(profiles, present), instances_text(profiles, wanted)),
            "end what uses them, or keep them in the list"};
  // `sorted` begins with those of `fits` that came before the first that does not fit.
  const auto first_out = std::ranges::mismatch(sorted, fits).in1;
  const Wanted before(sorted.begin(), first_out);
  return {reason_beside(profiles, before, *first_out),
          fmt::format("{} would fit", instances_text(profiles, fits))};
}

}  // namespace gpuhost
