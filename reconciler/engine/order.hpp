#pragma once

#include <string>
#include <vector>

#include "engine/linker.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

/// Puts the drafts into phases and a stable order: ties by phase, checks last, rank of the kind, address and
/// verb. Steps on a cycle, and those that rest on it, come last, and those on it are blocked with the names
/// along it.
[[nodiscard]] std::vector<PlannedStep> in_order(std::vector<Draft> drafts,
                                                const std::vector<Bracket>& brackets);

/// The phases of ordered steps. A phase whose steps stage something for the next boot ends with a reboot.
[[nodiscard]] std::vector<Phase> phases_of(const std::vector<PlannedStep>& steps);

}  // namespace gpuhost
