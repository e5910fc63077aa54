#pragma once

#include <string>

#include "cli/local_limits.hpp"
#include "cli/output.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

/// Looks at the host and plans, within what the host's own local.yaml allows; the document's policy is held
/// to that from then on. refused: the document is for another host. What the document names and this version
/// cannot apply, or the host forbids, is an error note in the plan; what a later file overrides is a remark.
[[nodiscard]] OrExit<Plan> plan_document(DecodedDocument& document, const HostView& host,
                                         Trust local_limits = Trust::anybody);

/// Whether metadata.hosts of the document takes the host in.
[[nodiscard]] bool is_meant_for(const DecodedDocument& document, const HostIdentity& host);

/// How a verb ends that found no difference: done, or what stands for the fields that are unknown.
[[nodiscard]] ExitCode code_of_unknown(const Plan& plan);

/// "gpus[left] at host.yaml:12:5".
[[nodiscard]] std::string place_of(const Unsupported& part);

}  // namespace gpuhost
