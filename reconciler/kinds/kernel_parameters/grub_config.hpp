#pragma once

#include <string_view>
#include <vector>

#include "kinds/kernel_parameters/boot_loader.hpp"

namespace gpuhost {

/// The Linux entries of a grub.cfg, in order, without recovery, memory test and other systems' entries, and
/// without those that are not made from GRUB's defaults (40_custom and the like): only 10_linux, 20_linux_xen
/// and their kin are, and grub-mkconfig writes which script an entry is from. Words
/// that are GRUB variables ("$vt_handoff") are left out: GRUB sets them while it boots.
[[nodiscard]] std::vector<BootEntry> parse_grub_config(std::string_view text);

}  // namespace gpuhost
