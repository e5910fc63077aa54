#pragma once

#include <vector>

#include "document/diagnostics.hpp"
#include "kinds/document_specs.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

/// The parts of a document whose kinds have no registration yet, in order of their keys.
[[nodiscard]] std::vector<Unsupported> unsupported_parts(const DocumentSpecs& document,
                                                         const Diagnostics& diagnostics);

}  // namespace gpuhost
