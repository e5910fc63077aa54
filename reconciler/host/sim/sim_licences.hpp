#pragma once

#include "host/sim/host_file.hpp"

namespace gpuhost {

/// The licence daemon, which comes with drivers that ask for licences, and its unit.
inline constexpr const char* sim_licence_daemon = "/usr/bin/nvidia-gridd";
inline constexpr const char* sim_licence_service = "nvidia-gridd.service";

/// What the daemon does when it starts: reads its configuration, and takes a licence for each GPU if that
/// says of which feature and from where. Whoever is named there has licences. What is changed later counts
/// from the next start on.
void take_licences(HostFile& host);

}  // namespace gpuhost
