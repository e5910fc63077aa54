#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "inventory/inventory.hpp"
#include "kinds/gpu_facts.hpp"

namespace gpuhost {

using gpu_facts::nvidia_driver;
using gpu_facts::vfio_driver;

/// A PCI function and its driver.
struct Binding {
  PciAddress address;
  std::string driver;           ///< empty: none
  std::string driver_override;  ///< the one driver that may bind it; empty: any that matches
  bool operator==(const Binding&) const = default;
};

[[nodiscard]] Binding binding_of(const PciFunction& function);

/// Whether the function is as it shall be. An override that is not there is in nobody's way; one for another
/// driver would be at the next probe.
[[nodiscard]] bool agrees(const Binding& now, const Binding& goal);

/// Whether a group with a function that has this driver can be given to a guest: it is VFIO's, pci-stub's or
/// nobody's. Source: Linux drivers/vfio/vfio_main.c and drivers/pci/pci-stub.c (driver_managed_dma).
[[nodiscard]] bool keeps_group_viable(std::string_view driver);

/// {"0000:41:00.0": {"driver": "nvidia", "override": ""}}, for records and arguments.
[[nodiscard]] Json json_of(const std::vector<Binding>& bindings);
/// Nothing: it is no such value, or names what cannot be a driver.
[[nodiscard]] std::optional<std::vector<Binding>> bindings_from(const Json& json);

/// {"0000:41:00.0": "nvidia"}, for plans; null: no driver.
[[nodiscard]] Json drivers_json(const std::vector<Binding>& bindings);

}  // namespace gpuhost
