#pragma once

#include <optional>
#include <string>

namespace gpuhost {

/// The vGPU software licence of a host (bare metal) or of a guest.
struct LicenseSpec {
  std::optional<std::string> server;  ///< host name or address
  std::optional<unsigned> port;
  std::string feature;                    ///< "vws"
  std::optional<std::string> token_file;  ///< absolute path; the token itself is never in a document
};

}  // namespace gpuhost
