#pragma once

#include <string>

#include "base/result.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// A document, as YAML, that says of a GPU host what it is now: of virtualization, of the kernel parameters
/// and modules that matter for GPUs and guests, of the GPUs, their functions and vGPUs, of the domains that
/// have them, and of the units that drive them. Only what a plan finds in sync is in it, so that planning it
/// at once is empty.
[[nodiscard]] Result<std::string> exported_document(const HostView& host);

}  // namespace gpuhost
