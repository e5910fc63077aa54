#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "kinds/kernel_modules/initramfs.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"
#include "kinds/kernel_modules/modprobe_config.hpp"
#include "kinds/kernel_modules/own_files.hpp"

namespace gpuhost {

struct KernelModulesState {
  /// What only a running kernel has.
  struct Running {
    /// unsupported: the kernel has no module support.
    Result<std::map<std::string, LoadedModule>> loaded;
    std::map<std::string, Result<ModuleFile>> files;  ///< of the named modules
    Result<std::string> command_line;
    /// Values in /sys/module, by module and parameter; not_found: the module shows none.
    std::map<std::string, std::map<std::string, Result<std::string>>> parameters;
    /// PCI functions that the drivers of modules on record, or to be blocked, have, by module; of those to be
    /// unloaded the console only.
    Result<std::map<std::string, std::vector<PciAddress>>> bound;
  };
  /// Of the document, with the options of single GPUs.
  std::vector<KernelModuleSpec> spec;
  std::string registry_unknown;  ///< why those options cannot be told; empty: they can
  std::optional<Running> running;
  Result<ModprobeConfig> modprobe;
  Result<std::map<std::string, std::string>> at_boot;  ///< module to file
  Result<OwnModprobeFile> own_modprobe;
  Result<OwnBootList> own_boot_list;
  std::optional<Initramfs> initramfs;

  [[nodiscard]] Json describe() const;
  /// Precondition: `running` and its `loaded` are known or unsupported.
  [[nodiscard]] const LoadedModule* loaded(const std::string& module) const;
  [[nodiscard]] bool built_in(const std::string& module) const;
};

class KernelModules final : public KindOver<KernelModulesState> {
 public:
  static constexpr std::string_view kind_name = "kernel_modules";
  KernelModules(std::vector<KernelModuleSpec> spec, std::vector<ForGpus<DriverRegistryKey>> registry);

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] KernelModulesState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const KernelModulesState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact,
                                              const KernelModulesState& state) const override;

 private:
  /// Adds the registry keys to the options of their module.
  void add_registry(KernelModulesState& state, const HostView& host) const;

  std::vector<KernelModuleSpec> spec_;  // names and options with `_`
  std::vector<ForGpus<DriverRegistryKey>> registry_;
};

/// The module of "kernel.modules[MODULE]"; nothing if the address is another.
[[nodiscard]] std::optional<std::string> module_at(std::string_view address);

/// Whether two texts set a parameter to the same: Y and 1, N and 0, and equal numbers are the same.
[[nodiscard]] bool same_parameter_value(std::string_view a, std::string_view b);

}  // namespace gpuhost
