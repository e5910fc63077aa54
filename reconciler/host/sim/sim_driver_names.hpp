#pragma once

#include <string>
#include <string_view>

namespace gpuhost {

/// Name of the PCI driver in a module, as /sys/bus/pci/drivers has it: "vfio-pci" for vfio_pci. Most drivers
/// are named as their module.
[[nodiscard]] std::string driver_in_module(std::string_view module);
/// The module that has the driver, with `_`.
[[nodiscard]] std::string module_of_driver(std::string_view driver);

}  // namespace gpuhost
