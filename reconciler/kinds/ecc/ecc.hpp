#pragma once

namespace gpuhost {

/// Error correction of a GPU's memory.
struct EccSpec {
  bool enabled = true;
};

}  // namespace gpuhost
