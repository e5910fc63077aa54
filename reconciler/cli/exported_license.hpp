#pragma once

#include <optional>

#include "cli/export_facts.hpp"
#include "document/node.hpp"
#include "host/host.hpp"
#include "kinds/license/license.hpp"

namespace gpuhost {

/// What a document might say of the host's licence. Nothing: there is no licence daemon, or its configuration
/// is none that a document can say.
[[nodiscard]] std::optional<LicenseSpec> license_candidate(const HostView& host);

/// `license` of the document; empty if it is not so.
[[nodiscard]] Node license_node(const std::optional<LicenseSpec>& candidate, const ExportFacts& facts);

}  // namespace gpuhost
