#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/kind.hpp"

namespace gpuhost {

/// One key of the kernel command line. `-` and `_` in the key are the same.
struct KernelParameterSpec {
  std::string key;
  bool present = true;
  /// In order, one for each occurrence; empty: the key stands alone, without `=`.
  std::vector<std::string> values;
};

/// Facts: subject "kernel_parameter/<key with _>", state the values joined by "|" (empty for a key alone), a
/// part of the last value between commas, "absent", or "not off" (present with another last value than off,
/// or absent); true when on the running command line.
[[nodiscard]] std::unique_ptr<Kind> make_kernel_parameters(std::vector<KernelParameterSpec> spec);

}  // namespace gpuhost
