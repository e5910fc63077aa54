#include "host/sim/sim_driver_names.hpp"

#include <algorithm>
#include <array>

namespace gpuhost {

namespace {

struct Name {
  std::string_view module;
  std::string_view driver;
};

/// Source: MODULE and .name of each driver in the Linux source.
constexpr std::array names = {Name{"vfio_pci", "vfio-pci"}, Name{"pci_stub", "pci-stub"},
                              Name{"pci_pf_stub", "pci-pf-stub"}, Name{"xhci_pci", "xhci_hcd"},
                              Name{"i2c_nvidia_gpu", "nvidia-gpu"}};

}  // namespace

std::string driver_in_module(std::string_view module) {
  const auto found = std::ranges::find(names, module, &Name::module);
  return std::string(found == names.end() ? module : found->driver);
}

std::string module_of_driver(std::string_view driver) {
  const auto found = std::ranges::find(names, driver, &Name::driver);
  return std::string(found == names.end() ? driver : found->module);
}

}  // namespace gpuhost
