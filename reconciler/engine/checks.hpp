#pragma once

#include <vector>

#include "engine/ownership.hpp"
#include "engine/plan.hpp"
#include "engine/policy.hpp"
#include "host/abandoned_writes.hpp"

namespace gpuhost {

/// Blocks every step that the policy, its protected objects, or another document's ownership forbids.
void check_allowed(std::vector<PlannedStep>& steps, const std::string& document, const Policy& policy,
                   const Ownership& owned);

/// An error for every object that another document owns and no step would touch: two documents that agree
/// today are a conflict all the same, as either would give the object back without asking the other.
void check_owners(Plan& plan, const Ownership& owned);

/// Whether an action, or a lane that it is alone in, is about the device.
[[nodiscard]] bool concerns(const StepAction& action, const std::vector<std::string>& lanes,
                            const std::string& device);

/// Blocks every step on a device that a process hangs over. An error where a field is unknown for that.
void check_abandoned(Plan& plan, const AbandonedWrites& abandoned);

/// Blocks what rests on a blocked step, and what would open a bracket that could not be closed again.
void spread_blocks(std::vector<PlannedStep>& steps);

/// Says of each step that claims or gives back why it is there: the document changed, the host drifted, or
/// the document no longer names the object.
void explain_reasons(std::vector<PlannedStep>& steps, const std::string& document, const Ownership& owned);

/// What this document's last run set and the host no longer has.
[[nodiscard]] std::vector<Drift> drift_of(const std::vector<Finding>& findings, const std::string& document,
                                          const Ownership& owned);

}  // namespace gpuhost
