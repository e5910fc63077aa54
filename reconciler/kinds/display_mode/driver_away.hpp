#pragma once

#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// NVIDIA's driver as long as a tool needs it not to be loaded.
struct LoadedDriver {
  std::vector<std::string>
      modules;  ///< `nvidia` and those on top of it, as they can be unloaded; none: not loaded
  std::vector<std::string> services;  ///< that run and use it
};

/// An error: it cannot be told.
[[nodiscard]] Result<LoadedDriver> look_at_driver(const HostView& host);

/// No module of NVIDIA's driver is loaded.
[[nodiscard]] Fact driver_away_fact();

/// Its modules are unloaded and loaded again, while none of the GPUs is in use or has anything that goes with
/// the driver.
[[nodiscard]] Offer driver_away_offer(std::string_view kind, const LoadedDriver& driver,
                                      const Inventory& inventory);

/// Of the two steps of that offer.
///@{
[[nodiscard]] bool is_driver_action(const StepAction& action);
[[nodiscard]] Result<bool> is_driver_as_wanted(const StepAction& action, const ModuleReader& modules);
[[nodiscard]] StepAction driver_undo(StepAction action);
Result<void> change_driver(const StepAction& action, Host& host);
///@}

}  // namespace gpuhost
