#include "kinds/ecc/decode.hpp"

namespace gpuhost {

std::optional<Located<EccSpec>> decode_ecc(MapReader& gpu) {
  const Value value = gpu.at("ecc");
  const auto enabled = value.boolean();
  return enabled ? std::optional(Located{EccSpec{*enabled}, value.mark()}) : std::nullopt;
}

}  // namespace gpuhost
