#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kinds/kernel_parameters/command_line.hpp"

namespace gpuhost {

/// The command line that grub-mkconfig makes of /etc/default/grub and the files it sources after it, in that
/// order. unsupported: they set it in a way that takes a shell to understand.
[[nodiscard]] Result<CommandLine> grub_command_line(std::span<const std::string> texts);

/// /etc/default/grub with other values for a key: it leaves GRUB_CMDLINE_LINUX and
/// GRUB_CMDLINE_LINUX_DEFAULT, and the values join the former. All else stays byte for byte. unsupported: an
/// assignment that would have to change is not a simple quoted string; invalid: the values cannot stand
/// there.
[[nodiscard]] Result<std::string> edit_grub_defaults(std::string_view text, std::string_view key,
                                                     const Occurrences& values);

}  // namespace gpuhost
