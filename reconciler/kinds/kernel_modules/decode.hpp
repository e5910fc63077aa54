#pragma once

#include <vector>

#include "document/map_reader.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"

namespace gpuhost {

/// Claims `modules` of `kernel`. By name, in order of the names.
[[nodiscard]] std::vector<KernelModuleSpec> decode_kernel_modules(MapReader& kernel);

}  // namespace gpuhost
