#pragma once

#include <string>
#include <vector>

#include "kinds/kernel_modules/kind.hpp"

namespace gpuhost {

/// Why a module cannot come to what the document says of it, each with what to do; empty: it can.
///@{
/// Options that the module has not, or does not read from modprobe.d.
[[nodiscard]] std::vector<std::string> option_obstacles(const KernelModuleSpec& spec,
                                                        const KernelModulesState& state);
/// There is nothing to load. Precondition: a kernel runs.
[[nodiscard]] std::vector<std::string> load_obstacles(const KernelModuleSpec& spec,
                                                      const KernelModulesState& state);
/// What other files of modprobe.d say against it; gpuhost's own is written anew.
[[nodiscard]] std::vector<std::string> config_obstacles(const KernelModuleSpec& spec,
                                                        const KernelModulesState& state);
/// Options that a file after gpuhost's own sets otherwise.
[[nodiscard]] std::vector<std::string> overriding_files(const KernelModuleSpec& spec,
                                                        const KernelModulesState& state);
///@}

}  // namespace gpuhost
