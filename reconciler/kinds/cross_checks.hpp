#pragma once

#include "document/diagnostics.hpp"
#include "kinds/document_specs.hpp"

namespace gpuhost {

/// Reports what is wrong between the parts of a document, each of which is right by itself.
void check_across_kinds(const DocumentSpecs& document, Diagnostics& diagnostics);

}  // namespace gpuhost
