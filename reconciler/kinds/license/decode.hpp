#pragma once

#include <optional>

#include "document/map_reader.hpp"
#include "kinds/license/license.hpp"

namespace gpuhost {

/// `license` of the document or of a virtual machine; nothing if it is absent.
[[nodiscard]] std::optional<LicenseSpec> decode_license(const Value& license);

}  // namespace gpuhost
