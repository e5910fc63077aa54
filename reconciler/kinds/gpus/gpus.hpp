#pragma once

#include <memory>
#include <vector>

#include "document/gpu_entry.hpp"
#include "engine/kind.hpp"

namespace gpuhost {

/// The GPUs that the document speaks of: that they are there, as many as expected, each in one entry; who
/// holds them; and which GPU has which UUID, kept for the time when no NVIDIA driver tells.
///
/// Facts: see gpu_facts::idle and gpu_facts::gone.
[[nodiscard]] std::unique_ptr<Kind> make_gpus(std::vector<GpuEntry> entries);

}  // namespace gpuhost
