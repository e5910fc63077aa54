#pragma once

#include "cli/output.hpp"
#include "host/host.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

/// Whom a file must be safe from.
enum class Trust { anybody, root_only };

/// Holds the document to the host's own local.yaml, if there is one. What it allows is unknown if it cannot
/// be read: then nothing is, which is said in the plan. `root_only` is for the live machine: a file that
/// others than root could have written, or that cannot be read, ends the run. Tells what is wrong.
[[nodiscard]] OrExit<void> hold_to_local_limits(DecodedDocument& document, const FileReader& files,
                                                Trust trust);

}  // namespace gpuhost
