#pragma once

#include "document/map_reader.hpp"
#include "engine/policy.hpp"

namespace gpuhost {

/// One of the levels; nothing if absent or on a problem.
[[nodiscard]] std::optional<Disruption> decode_disruption(const Value& level);

/// Adds what {vms, gpus} names.
void decode_protect(const Value& protect, std::set<std::string>& vms, std::set<PciAddress>& gpus);

/// `policy` of the document; absent keys are the contract's defaults.
[[nodiscard]] Policy decode_policy(const Value& policy);

}  // namespace gpuhost
