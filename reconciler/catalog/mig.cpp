#include "catalog/mig.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "catalog/tables.hpp"

namespace gpuhost::catalog {

namespace {

// A table that cannot be read is empty here; the tests say where it is wrong.

std::span<const MigProfile> all_profiles() {
  static const auto profiles = parse_mig_profiles(mig_profiles_table).value_or(std::vector<MigProfile>{});
  return profiles;
}

}  // namespace

std::span<const MigGpu> mig_gpus() {
  static const auto gpus = parse_mig_gpus(mig_gpus_table).value_or(std::vector<MigGpu>{});
  return gpus;
}

const MigGpu* mig_gpu_of(std::uint16_t device_id) {
  const auto found = std::ranges::find(mig_gpus(), device_id, &MigGpu::device_id);
  return found == mig_gpus().end() ? nullptr : &*found;
}

std::span<const MigProfile> mig_profiles_of(const MigGpu& gpu) {
  return run_of(all_profiles(), gpu.family, &MigProfile::family);
}

std::optional<unsigned> vgpus_per_instance(const VgpuType& type) {
  const auto board = std::ranges::find(boards(), type.board, &Board::name);
  const auto* gpu = board == boards().end() ? nullptr : mig_gpu_of(board->device_id);
  if (type.gpu_instance.empty() || !type.max || gpu == nullptr) return std::nullopt;
  const auto profiles = mig_profiles_of(*gpu);
  const auto profile = std::ranges::find_if(
      profiles, [&](const MigProfile& one) { return same_mig_profile(one.name, type.gpu_instance); });
  if (profile == profiles.end() || profile->max == 0) return std::nullopt;
  return std::max(1U, *type.max / profile->max);
}

std::string mig_profile_name(std::string_view spelling) {
  auto name = lower_case(trim(spelling));
  if (name.starts_with("mig ")) name.erase(0, 4);
  constexpr std::string_view unit = "gb.";
  if (const auto dot = name.find(unit); dot != std::string::npos) name[dot + unit.size() - 1] = '+';
  return name;
}

bool same_mig_profile(std::string_view a, std::string_view b) {
  const auto first = mig_profile_name(a);
  const auto second = mig_profile_name(b);
  return first == second || std::ranges::any_of(all_profiles(), [&](const MigProfile& profile) {
           return (profile.name == first && profile.also == second) ||
                  (profile.also == first && profile.name == second);
         });
}

}  // namespace gpuhost::catalog
