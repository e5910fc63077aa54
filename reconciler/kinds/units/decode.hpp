#pragma once

#include <vector>

#include "document/map_reader.hpp"
#include "kinds/units/units.hpp"

namespace gpuhost {

/// Claims `units` of the document. By name, in order of the names.
[[nodiscard]] std::vector<UnitSpec> decode_units(MapReader& document);

}  // namespace gpuhost
