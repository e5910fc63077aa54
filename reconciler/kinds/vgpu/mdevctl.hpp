#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// A mediated device that mdevctl starts when its parent appears. libvirt keeps its node devices there too.
/// Source: mdevctl(8), "FILES".
struct MdevctlStart {
  PciAddress parent;
  std::string uuid;
  std::string path;  ///< of the definition
};

/// Those on parents that `of_interest` says yes to. What cannot be read starts nothing.
[[nodiscard]] std::vector<MdevctlStart> read_mdevctl_starts(
    const FileReader& files, const std::function<bool(const PciAddress&)>& of_interest);

}  // namespace gpuhost
