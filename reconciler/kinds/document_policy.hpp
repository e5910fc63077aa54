#pragma once

#include "document/map_reader.hpp"
#include "engine/policy.hpp"

namespace gpuhost {

/// `policy` of the document; absent keys are the contract's defaults.
[[nodiscard]] Policy decode_policy(const Value& policy);

}  // namespace gpuhost
