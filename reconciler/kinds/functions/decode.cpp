#include "kinds/functions/decode.hpp"

#include <array>

namespace gpuhost {

std::optional<Located<FunctionsSpec>> decode_functions(MapReader& gpu) {
  constexpr std::array<Word<bool>, 2> words{{{"enabled", true}, {"disabled", false}}};
  const Value value = gpu.at("functions");
  const auto enabled = value.word<bool>(words);
  return enabled ? std::optional(Located{FunctionsSpec{*enabled}, value.mark()}) : std::nullopt;
}

}  // namespace gpuhost
