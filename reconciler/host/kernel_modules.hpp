#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// A module in the running kernel. Names use `_`, as the kernel prints them.
struct LoadedModule {
  unsigned use_count = 0;
  std::vector<std::string> users;  ///< modules that depend on it, sorted
  bool operator==(const LoadedModule&) const = default;
};

/// A module that the running kernel could load, or has built in.
struct ModuleFile {
  bool builtin = false;
  std::string version;                  ///< MODULE_VERSION; empty if it declares none
  std::vector<std::string> parameters;  ///< names, with `_`, sorted
  std::string signer;                   ///< of the signature; empty: it has none, or is built in
  bool operator==(const ModuleFile&) const = default;
};

/// Kernel modules. Names are taken with `-` or `_`. Safe to call from several threads.
class ModuleReader {
 public:
  virtual ~ModuleReader() = default;
  /// All loaded modules by name. unsupported: the kernel has no module support.
  [[nodiscard]] virtual Result<std::map<std::string, LoadedModule>> loaded() const = 0;
  /// The module for the running kernel. not_found: that kernel has none of this name.
  /// unsupported or denied: it cannot be told.
  [[nodiscard]] virtual Result<ModuleFile> available(const std::string& name) const = 0;
};

class ModuleWriter {
 public:
  virtual ~ModuleWriter() = default;
  /// Loads it with its dependencies and the options of modprobe.d, as modprobe(8) does. Done when it is
  /// loaded or built in.
  virtual Result<void> load(const std::string& name) = 0;
  /// As load, of what was loaded a moment ago: past an `install` line that modprobe.d has in its place, as
  /// `modprobe --ignore-install` does. Those of its dependencies hold.
  virtual Result<void> load_again(const std::string& name) = 0;
  /// busy: somebody uses it. Done when it is not loaded. Never forces.
  virtual Result<void> unload(const std::string& name) = 0;
};

}  // namespace gpuhost
