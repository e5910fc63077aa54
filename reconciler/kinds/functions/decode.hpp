#pragma once

#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/functions/functions.hpp"

namespace gpuhost {

/// Claims `functions` of an entry of `gpus`.
[[nodiscard]] std::optional<Located<FunctionsSpec>> decode_functions(MapReader& gpu);

}  // namespace gpuhost
