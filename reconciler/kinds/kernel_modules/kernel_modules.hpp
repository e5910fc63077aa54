#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/kind.hpp"

namespace gpuhost {

struct KernelModuleSpec {
  enum class State { loaded, unloaded, blocked };
  std::string name;  ///< as written
  State state = State::loaded;
  std::map<std::string, std::string> options;  ///< parameter name as written to value
  bool implied = false;                        ///< no wish of the document's own, but what another one needs
};

/// Facts: subject "module/<name with _>", states "loaded", "unloaded".
[[nodiscard]] std::unique_ptr<Kind> make_kernel_modules(std::vector<KernelModuleSpec> spec);

}  // namespace gpuhost
