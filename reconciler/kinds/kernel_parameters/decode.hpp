#pragma once

#include <vector>

#include "document/map_reader.hpp"
#include "kinds/kernel_parameters/kernel_parameters.hpp"

namespace gpuhost {

/// Claims `parameters` of `kernel`. By key, in order of the keys.
[[nodiscard]] std::vector<KernelParameterSpec> decode_kernel_parameters(MapReader& kernel);

}  // namespace gpuhost
