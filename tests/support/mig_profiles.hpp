#pragma once

#include <vector>

#include "host/mig.hpp"

namespace gpuhost::testing {

inline GpuInstanceProfile mig_profile(unsigned id, const char* name, unsigned slices, unsigned most,
                                      unsigned size, std::initializer_list<unsigned> starts) {
  GpuInstanceProfile made{.id = id, .name = name, .slices = slices, .most = most};
  for (const unsigned start : starts) made.placements.push_back({start, size});
  return made;
}

/// An A100 40 GB. Source: NVIDIA MIG user guide, "Supported MIG Profiles", and `nvidia-smi mig -lgipp`.
inline std::vector<GpuInstanceProfile> a100_profiles() {
  return {mig_profile(0, "7g.40gb", 7, 1, 8, {0}),
          mig_profile(5, "4g.20gb", 4, 1, 4, {0}),
          mig_profile(9, "3g.20gb", 3, 2, 4, {0, 4}),
          mig_profile(14, "2g.10gb", 2, 3, 2, {0, 2, 4}),
          mig_profile(15, "1g.10gb", 1, 4, 2, {0, 2, 4, 6}),
          mig_profile(19, "1g.5gb", 1, 7, 1, {0, 1, 2, 3, 4, 5, 6}),
          mig_profile(20, "1g.5gb+me", 1, 1, 1, {0, 1, 2, 3, 4, 5, 6})};
}

}  // namespace gpuhost::testing
