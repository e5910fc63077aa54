#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// SR-IOV virtual functions of a GPU.
struct FunctionsSpec {
  bool enabled = true;
};

/// What an entry wants of the functions, said or implied.
struct FunctionsWish {
  std::optional<bool> enabled;  ///< nothing: as the vGPUs need
  bool has_vgpus = false;       ///< the entry lists vGPUs, which a GPU with SR-IOV has on its functions
  bool implied = false;         ///< `enabled` follows from the mode
  /// The entry lists MIG instances: those that are made under functions go with them.
  bool has_instances = false;
};

/// Facts: see gpu_facts::functions_enabled and functions_disabled.
[[nodiscard]] std::unique_ptr<Kind> make_functions(std::vector<ForGpus<FunctionsWish>> wishes);

}  // namespace gpuhost
