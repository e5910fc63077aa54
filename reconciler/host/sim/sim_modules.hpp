#pragma once

#include <map>
#include <set>
#include <string>

#include "host/kernel_modules.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/module_events.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_modprobe.hpp"

namespace gpuhost {

/// Kernel modules of a simulated host, and what /sys/module and /proc/modules show of them. Not for several
/// threads.
class SimModules final : public ModuleReader, public ModuleWriter {
 public:
  SimModules(HostFile& host, SimFiles& files, ModuleEvents& events)
      : host_(host), files_(files), events_(events) {}

  [[nodiscard]] Result<std::map<std::string, LoadedModule>> loaded() const override;
  [[nodiscard]] Result<ModuleFile> available(const std::string& name) const override;
  Result<void> load(const std::string& name) override;
  Result<void> load_again(const std::string& name) override;
  Result<void> unload(const std::string& name) override;

  /// What a new kernel does once its command line is in /proc/cmdline: modules that the hardware asks for are
  /// loaded unless both the initramfs and modprobe.d keep them from it, then those that modules-load.d names.
  void boot(const std::string& initramfs);

 private:
  void load_all(const std::map<std::string, std::vector<std::string>>& softdeps, const std::string& of,
                const SimModprobe& config, std::set<std::string>& underway);
  Result<void> load_with_dependencies(const std::string& name, const SimModprobe& config,
                                      std::set<std::string>& underway);
  [[nodiscard]] bool secure_boot() const;
  [[nodiscard]] std::vector<std::string> named_by_modules_load() const;
  void publish(const std::string& name, const HostFile::Module& module, const SimModprobe& config);
  void publish_parameters(const std::string& name, const HostFile::Module& module, const SimModprobe& config);
  void publish_use_counts();
  [[nodiscard]] std::string command_line() const { return files_.text("/proc/cmdline").value_or(""); }
  [[nodiscard]] SimModprobe configuration() const {
    return parse_modprobe(modprobe_text(files_), command_line());
  }

  HostFile& host_;
  SimFiles& files_;
  ModuleEvents& events_;
};

}  // namespace gpuhost
