#pragma once

#include <string_view>
#include <vector>

#include "kinds/kernel_parameters/boot_loader.hpp"

namespace gpuhost {

/// The Linux entries of a grub.cfg, in order, without recovery, memory test and other systems' entries. Words
/// that are GRUB variables ("$vt_handoff") are left out: GRUB sets them while it boots.
[[nodiscard]] std::vector<BootEntry> parse_grub_config(std::string_view text);

}  // namespace gpuhost
