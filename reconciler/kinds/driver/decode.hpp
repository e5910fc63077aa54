#pragma once

#include <optional>

#include "document/map_reader.hpp"
#include "kinds/driver/driver.hpp"

namespace gpuhost {

/// Claims `driver` of the document; nothing if it is absent.
[[nodiscard]] std::optional<DriverSpec> decode_driver(MapReader& document);

}  // namespace gpuhost
