#include "kinds/display_mode/decode.hpp"

namespace gpuhost {

std::optional<Located<DisplayMode>> decode_display_mode(MapReader& gpu) {
  const Value value = gpu.at("display");
  const auto mode = value.word<DisplayMode>(display_words);
  return mode ? std::optional(Located{*mode, value.mark()}) : std::nullopt;
}

}  // namespace gpuhost
