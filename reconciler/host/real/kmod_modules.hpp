#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/files.hpp"
#include "host/kernel_modules.hpp"

namespace gpuhost {

/// Where libkmod looks.
struct KmodPaths {
  std::string modules;              ///< of one kernel; empty: /lib/modules/<running release>
  std::vector<std::string> config;  ///< modprobe.d folders and files; empty: as modprobe(8)
};

/// The modules of the running kernel, through /proc/modules and libkmod. Every call reads the module index
/// and modprobe.d anew, since drivers get installed while gpuhost runs.
///
/// Loading follows modprobe(8): options and soft dependencies hold, `blacklist` does not stop a module that
/// is asked for by name. An `install` line is a shell command, which gpuhost does not run: a module that has
/// one is refused.
class KmodModules final : public ModuleReader, public ModuleWriter {
 public:
  /// `files` are those of the running host and outlive this.
  explicit KmodModules(const FileReader& files, KmodPaths paths = {});

  [[nodiscard]] Result<std::map<std::string, LoadedModule>> loaded() const override;
  [[nodiscard]] Result<ModuleFile> available(const std::string& name) const override;

  Result<void> load(const std::string& name) override;
  Result<void> load_again(const std::string& name) override;
  Result<void> unload(const std::string& name) override;

 private:
  [[nodiscard]] Error in_use(const std::string& name) const;

  const FileReader& files_;
  KmodPaths paths_;
};

}  // namespace gpuhost
