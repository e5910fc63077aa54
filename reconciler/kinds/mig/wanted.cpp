#include "kinds/mig/wanted.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "kinds/mig/profiles.hpp"

namespace gpuhost {

namespace {

class Reader {
 public:
  Reader(const MigWish& wish, std::span<const GpuInstanceProfile> profiles, const catalog::Board* board,
         const std::string& title)
      : wish_(wish), profiles_(profiles), board_(board), title_(title) {}

  WantedMig read() {
    using Mode = MigSpec::Mode;
    wanted_.on = wish_.spec.mode == Mode::exact;
    if (wish_.spec.mode == Mode::exact)
      for (const auto& instances : wish_.spec.instances) add(instances);
    if (wish_.spec.mode == Mode::automatic)
      for (const auto& vgpus : by_type(wish_.vgpus)) add_for(vgpus);
    return std::move(wanted_);
  }

 private:
  void problem(std::string message, std::string advice) {
    wanted_.problems.push_back({std::move(message), std::move(advice)});
  }

  const GpuInstanceProfile* profile_named(const std::string& name) {
    if (const auto* profile = find_profile(profiles_, name)) return profile;
    const auto spelt = catalog::mig_profile_name(name);
    const auto slices = spelt.substr(0, spelt.find('.') + 1);
    std::vector<std::string> names, of_slices;
    for (const auto& profile : profiles_)
      (profile.name.starts_with(slices) ? of_slices : names).push_back(profile.name);
    const auto near = suggest(spelt, of_slices.empty() ? names : of_slices);
    problem(fmt::format("{} has no MIG profile {}", title_, name),
            fmt::format("{}it has {}", near ? fmt::format("did you mean '{}'? ", *near) : "",
                        profile_names(profiles_)));
    return nullptr;
  }

  void add(const MigSpec::GpuInstances& instances) {
    const auto* profile = profile_named(instances.profile);
    if (profile == nullptr) return;
    const auto compute = compute_of(instances, *profile);
    for (unsigned i = 0; i < instances.count; ++i) {
      NamedInstance one{
          .label = {}, .profile = profile, .instance = {.profile = profile->id}, .compute = compute};
      if (i < instances.placement.size()) one.instance.start = instances.placement[i];
      if (!instances.name)
        one.label = next_label(*profile);
      else
        one.label = instances.count == 1 ? **instances.name : fmt::format("{}#{}", **instances.name, i);
      wanted_.instances.push_back(std::move(one));
    }
  }

  std::string next_label(const GpuInstanceProfile& profile) {
    return fmt::format("{}#{}", profile.name, unnamed_[profile.id]++);
  }

  std::optional<std::vector<unsigned>> compute_of(const MigSpec::GpuInstances& instances,
                                                  const GpuInstanceProfile& profile) {
    if (!instances.compute)
      return wish_.fills_instances ? std::optional(std::vector{profile.slices}) : std::nullopt;
    std::vector<unsigned> slices;
    for (const auto& compute : *instances.compute) {
      unsigned size = 0;
      std::from_chars(compute.profile.data(), compute.profile.data() + compute.profile.size(), size);
      const auto within =
          compute.profile.substr(std::min(compute.profile.find('.') + 1, compute.profile.size()));
      if (!catalog::same_mig_profile(within, profile.name) || size > profile.slices)
        problem(fmt::format("compute instances {} do not go into a {}", compute.profile, profile.name),
                fmt::format("write Nc.{}, N at most {}", profile.name, profile.slices));
      slices.insert(slices.end(), compute.count, size);
    }
    std::ranges::sort(slices, std::ranges::greater{});
    return slices;
  }

  /// One for each type: entries of one type share instances.
  static std::vector<MigWish::Vgpus> by_type(const std::vector<MigWish::Vgpus>& listed) {
    std::vector<MigWish::Vgpus> summed;
    for (const auto& vgpus : listed) {
      const auto same = std::ranges::find_if(
          summed, [&](const auto& other) { return catalog::same_type(other.type, vgpus.type); });
      if (same == summed.end())
        summed.push_back(vgpus);
      else
        same->count += vgpus.count;
    }
    return summed;
  }

  /// As many instances as those vGPUs need: each takes as many as its share of what the GPU takes.
  void add_for(const MigWish::Vgpus& vgpus) {
    const auto* type = board_ == nullptr ? nullptr : catalog::find_type(*board_, vgpus.type);
    if (type == nullptr)
      return problem(fmt::format("which MIG instance {} needs on {} is not known", vgpus.type, title_),
                     "list the instances under mig");
    if (type->gpu_instance.empty()) return;
    wanted_.on = true;
    const auto* profile = profile_named(std::string(type->gpu_instance));
    if (profile == nullptr) return;
    if (!type->max)
      return problem(fmt::format("how many {} fit a {} is not known", vgpus.type, profile->name),
                     "list the instances under mig");
    const auto each = std::max(1U, *type->max / profile->most);
    for (unsigned made = 0; made * each < vgpus.count; ++made)
      wanted_.instances.push_back({.label = next_label(*profile),
                                   .profile = profile,
                                   .instance = {.profile = profile->id},
                                   .compute = {}});
  }

  const MigWish& wish_;
  std::span<const GpuInstanceProfile> profiles_;
  const catalog::Board* board_;
  const std::string& title_;
  WantedMig wanted_;
  std::map<unsigned, unsigned> unnamed_;  ///< instances without a name so far, by profile
};

}  // namespace

std::vector<WantedInstance> WantedMig::to_solve() const {
  std::vector<WantedInstance> wanted;
  std::ranges::transform(instances, std::back_inserter(wanted), &NamedInstance::instance);
  return wanted;
}

WantedMig wanted_mig(const MigWish& wish, std::span<const GpuInstanceProfile> profiles,
                     const catalog::Board* board, const std::string& title) {
  return Reader(wish, profiles, board, title).read();
}

}  // namespace gpuhost
