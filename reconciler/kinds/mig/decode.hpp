#pragma once

#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/mig/mig.hpp"

namespace gpuhost {

/// Claims `mig` of an entry of `gpus`.
[[nodiscard]] std::optional<Located<MigSpec>> decode_mig(MapReader& gpu);

}  // namespace gpuhost
