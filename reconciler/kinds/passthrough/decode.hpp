#pragma once

#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/passthrough/passthrough.hpp"

namespace gpuhost {

/// Claims `companions` of an entry of `gpus`.
[[nodiscard]] std::optional<Located<PassthroughSpec>> decode_passthrough(MapReader& gpu);

}  // namespace gpuhost
