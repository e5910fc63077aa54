#pragma once

#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/ecc/ecc.hpp"

namespace gpuhost {

/// Claims `ecc` of an entry of `gpus`.
[[nodiscard]] std::optional<Located<EccSpec>> decode_ecc(MapReader& gpu);

}  // namespace gpuhost
