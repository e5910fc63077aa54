#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/step.hpp"
#include "kinds/kernel_parameters/kind.hpp"

namespace gpuhost {

/// By key with `_`: what the boot entries are to become.
using EntryChanges = std::map<std::string, Occurrences>;

/// Makes the boot entries of the configuration, once `staged` is in it. Preconditions: `changes` is not
/// empty, and loader and entries are known.
[[nodiscard]] Step rebuild_step(const KernelParametersState& state, const EntryChanges& changes,
                                const std::vector<Fact>& staged);

}  // namespace gpuhost
