#pragma once

#include <optional>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "kinds/guest_driver/guest_driver.hpp"

namespace gpuhost {

/// Claims `guestDriver` of an entry of `vms`.
[[nodiscard]] std::optional<Located<GuestDriverSpec>> decode_guest_driver(MapReader& vm);

}  // namespace gpuhost
