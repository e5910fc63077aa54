#pragma once

#include <array>

#include "document/map_reader.hpp"
#include "kinds/vgpu/vgpu.hpp"

namespace gpuhost {

inline constexpr std::array<Word<VgpuSpec::Sizes>, 2> sizes_words{
    {{"equal", VgpuSpec::Sizes::equal}, {"mixed", VgpuSpec::Sizes::mixed}}};
inline constexpr std::array<Word<VgpuSpec::Scheduler::Policy>, 3> policy_words{
    {{"best-effort", VgpuSpec::Scheduler::Policy::best_effort},
     {"equal-share", VgpuSpec::Scheduler::Policy::equal_share},
     {"fixed-share", VgpuSpec::Scheduler::Policy::fixed_share}}};

/// Claims `vgpus`, `sizes` and `scheduler` of an entry of `gpus`.
[[nodiscard]] VgpuSpec decode_vgpu(MapReader& gpu);

}  // namespace gpuhost
