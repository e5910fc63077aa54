#pragma once

#include <optional>
#include <string>

#include "document/package_source.hpp"

namespace gpuhost {

/// The NVIDIA driver inside a guest.
struct GuestDriverSpec {
  std::optional<std::string> release;
  std::optional<std::string> version;
  std::optional<PackageSource> source;  ///< nothing: checked against the host's release, not installed
};

}  // namespace gpuhost
