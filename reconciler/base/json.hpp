#pragma once

#include <nlohmann/json.hpp>

namespace gpuhost {

/// Keys are kept sorted, so that equal content has equal bytes.
using Json = nlohmann::json;

}  // namespace gpuhost
