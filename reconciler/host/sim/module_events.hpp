#pragma once

#include <string>

#include "host/sim/sim_modprobe.hpp"

namespace gpuhost {

/// Told of modules that come and go, as what is in them comes and goes with them. Names have `_`.
class ModuleEvents {
 public:
  virtual ~ModuleEvents() = default;
  /// References that keep a module from being unloaded, beside those in LoadedModule::use_count.
  [[nodiscard]] virtual unsigned uses(const std::string& module) const = 0;
  /// It was loaded, or a boot found it built in.
  virtual void loaded(const std::string& module, const SimModprobe& config) = 0;
  virtual void unloaded(const std::string& module) = 0;
};

}  // namespace gpuhost
