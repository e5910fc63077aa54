#pragma once

#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/display_mode/display_mode.hpp"

namespace gpuhost {

/// Claims `display` of an entry of `gpus`.
[[nodiscard]] std::optional<Located<DisplayMode>> decode_display_mode(MapReader& gpu);

}  // namespace gpuhost
