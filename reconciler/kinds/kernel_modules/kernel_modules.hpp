#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

struct KernelModuleSpec {
  enum class State {
    loaded,
    unloaded,
    blocked,
    as_is,  ///< whether it is loaded is not managed, only its options are
  };
  std::string name;  ///< as written
  State state = State::loaded;
  std::map<std::string, std::string> options;  ///< parameter name as written to value
  bool implied = false;                        ///< no wish of the document's own, but what another one needs
};

/// A number that NVIDIA's driver reads for single GPUs when it is loaded: its name and value in the module
/// option NVreg_RegistryDwordsPerDevice. Source: NVIDIA vGPU user guide, "Changing the Time-Sliced vGPU
/// Scheduling Behavior for Select GPUs".
struct DriverRegistryKey {
  std::string name;
  std::uint32_t value = 0;
};

/// `registry` is added to what the document, or else other files of modprobe.d, say in that option; the
/// module nvidia is among `spec` then.
///
/// Facts: subject "module/<name with _>", states "loaded", "unloaded".
[[nodiscard]] std::unique_ptr<Kind> make_kernel_modules(
    std::vector<KernelModuleSpec> spec, std::vector<ForGpus<DriverRegistryKey>> registry = {});

}  // namespace gpuhost
