#pragma once

#include <set>
#include <string>
#include <vector>

#include "examples/examples.hpp"
#include "examples/random.hpp"

namespace gpuhost::testing {

/// A document about the GPUs and guests of a host.
struct GpuDraft {
  std::string text;
  std::set<std::string> gpus;    ///< addresses of those that it names
  std::set<std::string> guests;  ///< that it names
};

/// Any mixture of passthrough, vGPUs, functions, MIG and guests that the decoder accepts. Not all of them can
/// be applied.
[[nodiscard]] GpuDraft random_gpu_draft(Dice& dice, const HostFile& host, const std::string& name = "random");

}  // namespace gpuhost::testing
