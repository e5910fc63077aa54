#pragma once

#include <span>
#include <string>

#include "kinds/mig/layout.hpp"

namespace gpuhost {

/// Why no layout fits, in the hardware's terms, and what would.
struct Misfit {
  std::string reason;  ///< "3g.20gb + 3g.20gb use all 8 memory slices; 1g.5gb needs one"
  std::string advice;  ///< "3g.20gb + 3g.20gb would fit"
};

/// Of wanted instances for which solve_layout finds nothing while busy instances stay.
[[nodiscard]] Misfit explain_misfit(std::span<const GpuInstanceProfile> profiles,
                                    std::span<const GpuInstance> present,
                                    std::span<const WantedInstance> wanted);

/// "3g.20gb + 2 x 1g.5gb", in the order in which they are wanted; "nothing" for none.
[[nodiscard]] std::string instances_text(std::span<const GpuInstanceProfile> profiles,
                                         std::span<const WantedInstance> wanted);

}  // namespace gpuhost
