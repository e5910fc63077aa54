#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "engine/plan.hpp"

namespace gpuhost {

/// The counts at the end of a plan.
struct PlanSummary {
  std::map<std::string, std::size_t> actions;  ///< how many steps create, update, delete, load …
  std::size_t blocked = 0;                     ///< steps that cannot run
  Disruption disruption = Disruption::none;    ///< the worst of any step
  std::size_t reboots = 0;
};

[[nodiscard]] PlanSummary summarise(const Plan& plan);

/// "2 to create, 1 to update; 1 reboot; most disruption: none (policy allows none)". Never empty.
[[nodiscard]] std::string summary_text(const Plan& plan);

/// "steps 1, 4", "step 2": as a reader counts them, for indices into Plan::steps.
[[nodiscard]] std::string numbered(const std::vector<std::size_t>& steps);

/// "3 steps", "1 step".
[[nodiscard]] std::string counted(std::size_t count, std::string_view noun);

/// What the reader is told about why a step is there.
[[nodiscard]] std::string reason_text(const Plan& plan, std::size_t step);

/// "stop-units: unit a.service, process qemu (pid 12)"; empty when nobody notices.
[[nodiscard]] std::string disruption_text(const Step& step);

/// "Degraded: gpu[desk]: one of two …"; escaped.
[[nodiscard]] std::string condition_text(const Condition& condition);

/// "kvm-gpu-07 (kernel 6.1.0-25-amd64)", with words for what could not be read; escaped.
[[nodiscard]] std::string host_text(const HostIdentity& host);

/// The findings of one verdict, in their order.
[[nodiscard]] std::vector<const Finding*> findings_with(const Plan& plan, Finding::Verdict verdict);

}  // namespace gpuhost
