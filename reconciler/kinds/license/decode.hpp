#pragma once

#include <optional>

#include "document/map_reader.hpp"
#include "kinds/license/license.hpp"

namespace gpuhost {

inline constexpr unsigned highest_port = 65535;

namespace formats {
extern const Format license_server;
/// It becomes a line of the licence daemon's configuration, whose quoting is documented nowhere.
extern const Format license_token;
}  // namespace formats

/// `license` of a virtual machine; nothing if it is absent.
[[nodiscard]] std::optional<LicenseSpec> decode_guest_license(const Value& license);

/// `license` of the document: of the products for bare metal the one that has a licence for GPUs, vWS.
/// Source: NVIDIA Virtual GPU Client Licensing User Guide, "NVIDIA vGPU Software Licensed Products".
[[nodiscard]] std::optional<LicenseSpec> decode_host_license(const Value& license);

}  // namespace gpuhost
