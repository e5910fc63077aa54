#include "kinds/display_mode/decode.hpp"

#include <array>

namespace gpuhost {

std::optional<Located<DisplayMode>> decode_display_mode(MapReader& gpu) {
  constexpr std::array<Word<DisplayMode>, 5> words{{{"auto", DisplayMode::automatic},
                                                    {"display-off", DisplayMode::display_off},
                                                    {"display-enabled", DisplayMode::display_enabled},
                                                    {"graphics", DisplayMode::graphics},
                                                    {"compute", DisplayMode::compute}}};
  const Value value = gpu.at("display");
  const auto mode = value.word<DisplayMode>(words);
  return mode ? std::optional(Located{*mode, value.mark()}) : std::nullopt;
}

}  // namespace gpuhost
