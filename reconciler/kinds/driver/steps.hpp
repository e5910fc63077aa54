#pragma once

#include <string>
#include <vector>

#include "kinds/driver/kind.hpp"

namespace gpuhost {

/// The verbs of this kind's actions.
namespace driver_verb {
inline constexpr const char* copy = "copy";
inline constexpr const char* discard = "discard";  ///< undoes a copy
inline constexpr const char* unload = "unload";
inline constexpr const char* remove = "remove";
inline constexpr const char* install = "install";
inline constexpr const char* restore = "restore";  ///< undoes install and remove
inline constexpr const char* load = "load";
}  // namespace driver_verb

/// How the host's driver becomes another. `now`: what is installed, with its source where it is on record.
struct DriverChange {
  const DriverState& state;
  std::optional<DriverPackage> now;
  std::optional<DriverPackage> then;  ///< nothing: none
  std::vector<const Gpu*> held;       ///< GPUs that the driver has
  bool removes_first = false;         ///< what is there goes by its own means before the new one comes

  /// The source is a file that an earlier step has not copied yet.
  [[nodiscard]] bool needs_copy() const {
    return then && then->source && then->source->form != PackageSource::Form::package && !state.has_copy;
  }
};

/// Copies the source to where only root can change it, hashing what it copies.
[[nodiscard]] Step copy_step(const PackageSource& source);
/// Takes the driver from the kernel, once nobody has a GPU and nothing is on one.
[[nodiscard]] Step unload_step(const DriverChange& change);
[[nodiscard]] Step remove_step(const DriverChange& change);
[[nodiscard]] Step install_step(const DriverChange& change);
[[nodiscard]] Step load_step(const DriverChange& change);

/// driver: the manager of vGPUs is installed. Asked by those who make virtual functions and vGPUs.
[[nodiscard]] bool is_manager(const std::optional<DriverPackage>& driver);

}  // namespace gpuhost
