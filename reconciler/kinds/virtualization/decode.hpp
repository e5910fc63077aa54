#pragma once

#include "document/map_reader.hpp"
#include "kinds/virtualization/virtualization.hpp"

namespace gpuhost {

/// Claims `virtualization` of the document.
[[nodiscard]] VirtualizationSpec decode_virtualization(MapReader& document);

}  // namespace gpuhost
