#pragma once

#include <string>
#include <vector>

#include "kinds/driver/kind.hpp"

namespace gpuhost {

/// What `plan` has to say of the wanted driver before anything is done: boards that the product leaves out,
/// a version that nobody knows, support that has ended, two drivers side by side. `gpus`: those that the
/// driver is to have.
[[nodiscard]] std::vector<Note> notes_of_driver(const DriverSpec& spec, const DriverState& state,
                                                const std::vector<const Gpu*>& gpus);

/// Why the source cannot be installed, or would not be a driver that works, each with what to do. Found
/// before anything is removed.
[[nodiscard]] std::vector<std::string> obstacles_to_install(const PackageSource& source,
                                                            const DriverState& state);

/// Why the kernel would not take the module that is installed for it, each with what to do.
[[nodiscard]] std::vector<std::string> obstacles_to_load(const DriverState& state);

}  // namespace gpuhost
