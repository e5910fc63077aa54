#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/kind.hpp"
#include "kinds/licence_daemon.hpp"

namespace gpuhost {

/// The one feature that a host can be licensed for: virtual workstations.
inline constexpr const char* workstation_feature = "vws";

/// The vGPU software licence of a host (bare metal) or of a guest.
struct LicenseSpec {
  std::optional<std::string> server;  ///< host name or address
  std::optional<unsigned> port;
  std::string feature;                    ///< "vws"
  std::optional<std::string> token_file;  ///< absolute path; the token itself is never in a document
};

/// Of the host, whose NVIDIA driver asks for a licence where its flavour is graphics: what the licence daemon
/// reads, and whether the driver has the licence. The daemon gets it; nothing but its configuration is set
/// here. The token is named to it and never opened but for its digest.
///
/// Facts: none. Rests on unit/nvidia-gridd.service, see make_units: the daemon reads when it starts.
[[nodiscard]] std::unique_ptr<Kind> make_license(std::optional<LicenseSpec> spec);

}  // namespace gpuhost
