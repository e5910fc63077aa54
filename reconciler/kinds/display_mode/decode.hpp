#pragma once

#include <array>
#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/display_mode/display_mode.hpp"

namespace gpuhost {

inline constexpr std::array<Word<DisplayMode>, 5> display_words{
    {{"auto", DisplayMode::automatic},
     {"display-off", DisplayMode::display_off},
     {"display-enabled", DisplayMode::display_enabled},
     {"graphics", DisplayMode::graphics},
     {"compute", DisplayMode::compute}}};

/// Claims `display` of an entry of `gpus`.
[[nodiscard]] std::optional<Located<DisplayMode>> decode_display_mode(MapReader& gpu);

}  // namespace gpuhost
