#pragma once

#include <string>

#include "cli/output.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

/// Looks at the host and plans. refused: the document is for another host. What the document names and this
/// version cannot apply is an error note in the plan; what a later file overrides is a remark.
[[nodiscard]] OrExit<Plan> plan_document(const DecodedDocument& document, const HostView& host);

/// How a verb ends that found no difference: done, or what stands for the fields that are unknown.
[[nodiscard]] ExitCode code_of_unknown(const Plan& plan);

/// "gpus[left] at host.yaml:12:5".
[[nodiscard]] std::string place_of(const Unsupported& part);

}  // namespace gpuhost
