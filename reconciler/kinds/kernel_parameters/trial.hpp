#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/kernel_parameters/kind.hpp"

namespace gpuhost {

/// What the kernel parameters of a document, not those that it gives back, mean for a trial of boot entries.
struct TrialNeed {
  bool wanted = false;               ///< the document names a parameter
  std::set<std::string> given_back;  ///< keys with `_`: it named them once
  std::vector<Fact> to_change;       ///< true once entries that this plan makes have come up
  std::vector<Fact> staged;          ///< true once the entries that are there have come up
};

/// The entries were to be tried, and what ran before runs again.
[[nodiscard]] bool trial_failed(const BootSetup& boot, const TrialNeed& need);

/// Entries that change are tried once where the loader can: adds to the plan that what runs stays the default
/// until the host is as the document says, or says why that cannot be. Where entries change, the last step is
/// the rebuild. Precondition: the boot loader is known.
void propose_trial(const KernelParametersState& state, const TrialNeed& need, Proposal& proposal);

}  // namespace gpuhost
