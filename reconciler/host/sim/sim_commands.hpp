#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/commands.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_clock.hpp"
#include "host/sim/sim_display_modes.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_gpus.hpp"
#include "host/sim/sim_installers.hpp"
#include "host/sim/sim_nvidia.hpp"

namespace gpuhost {

/// The programs that gpuhost calls on a simulated host. One runs only if its file is there. Not for several
/// threads.
class SimCommands final : public CommandRunner {
 public:
  SimCommands(HostFile& host, SimFiles& files, SimNvidia& nvidia, SimGpus& nvml, SimDisplayModes& displays,
              SimClock& clock)
      : host_(host),
        files_(files),
        nvidia_(nvidia),
        nvml_(nvml),
        displays_(displays),
        clock_(clock),
        installers_(host, files) {}

  Result<CommandResult> run(const Command& command) override;

 private:
  using Arguments = std::vector<std::string>;

  /// Nothing: it is none that is about drivers or GPUs.
  std::optional<Result<CommandResult>> run_for_gpus(std::string_view name, const Command& command);
  CommandResult update_grub(const Arguments& arguments);
  CommandResult grub_mkconfig(const Arguments& arguments);
  CommandResult grub_editenv(const Arguments& arguments);
  CommandResult bootctl(const Arguments& arguments);
  CommandResult grubby(const Arguments& arguments);
  CommandResult proxmox_boot_tool(const Arguments& arguments);
  CommandResult kernel_install(const Arguments& arguments);
  CommandResult update_initramfs(const Arguments& arguments);
  CommandResult dracut(const Arguments& arguments);
  CommandResult mkinitcpio(const Arguments& arguments);

  CommandResult make_grub_config(const std::string& path);
  CommandResult rebuild_initramfs(std::string output);
  void edit_grub_defaults(const std::vector<std::string>& added, const std::vector<std::string>& removed);
  [[nodiscard]] std::string kernel_command_line() const;

  HostFile& host_;
  SimFiles& files_;
  SimNvidia& nvidia_;
  SimGpus& nvml_;
  SimDisplayModes& displays_;
  SimClock& clock_;
  SimInstallers installers_;
};

}  // namespace gpuhost
