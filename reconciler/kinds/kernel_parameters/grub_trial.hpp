#pragma once

#include <string>
#include <string_view>

#include "host/host.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"

namespace gpuhost {

/// How GRUB tries what grub.cfg says once: lines of ours in custom.cfg, which grub.cfg reads last, make the
/// entry that runs now the default, unless the variable gpuhost_try is in GRUB's environment block; then they
/// take it out and leave the default as grub.cfg has it. GRUB that cannot write the block boots what ran.
///
/// Sources: /etc/grub.d/41_custom and 00_header of GRUB 2.06 (custom.cfg, load_env, boot_once); GRUB manual,
/// "Environment block".
struct GrubTrialFiles {
  std::string directory;  ///< of grub.cfg
  std::string editor;     ///< the program grub-editenv

  [[nodiscard]] std::string custom_config() const { return directory + "/custom.cfg"; }
  [[nodiscard]] std::string environment() const { return directory + "/grubenv"; }
};

/// `config`: the text of grub.cfg. unsupported: GRUB cannot try entries on this host, and why.
[[nodiscard]] Result<BootTrial> look_at_grub_trial(const GrubTrialFiles& where, std::string_view config,
                                                   const HostView& host);

/// BootLoader::set_trial.
Result<void> set_grub_trial(const GrubTrialFiles& where, const std::string& text, bool to_come, Host& host);

}  // namespace gpuhost
