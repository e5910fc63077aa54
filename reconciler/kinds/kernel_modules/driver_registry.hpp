#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/pci_address.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"

namespace gpuhost {

inline constexpr const char* registry_module = "nvidia";
inline constexpr const char* registry_option = "NVreg_RegistryDwordsPerDevice";

/// The option with these keys set, "pci=0000:86:00.0;RmPVMRL=0x11": what it says of other keys and other GPUs
/// stays, in its order.
[[nodiscard]] std::string with_registry_keys(std::string_view option,
                                             const std::map<PciAddress, DriverRegistryKey>& keys);

}  // namespace gpuhost
