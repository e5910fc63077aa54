#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/mig.hpp"

namespace gpuhost {

/// What the catalogue knows of a GPU by its PCI device id, with placements; empty: nothing.
[[nodiscard]] std::vector<GpuInstanceProfile> known_mig_profiles(std::uint16_t device_id);

/// The profile of this name, in any spelling; null: there is none.
[[nodiscard]] const GpuInstanceProfile* find_profile(std::span<const GpuInstanceProfile> profiles,
                                                     std::string_view name);

/// "1g.5gb, 1g.5gb+me, 2g.10gb", for messages.
[[nodiscard]] std::string profile_names(std::span<const GpuInstanceProfile> profiles);

}  // namespace gpuhost
