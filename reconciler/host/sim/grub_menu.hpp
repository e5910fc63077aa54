#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// GRUB's environment block: lines of name=value in a file of 1 KiB. Empty where there is none.
[[nodiscard]] std::map<std::string, std::string> grub_environment(const SimFiles& files,
                                                                  const std::string& path);
void write_grub_environment(SimFiles& files, const std::string& path,
                            const std::map<std::string, std::string>& variables);

/// Boots with the menu in a directory, such as /boot/grub: grub.cfg and the custom.cfg that it reads. The
/// kernel's command line as /proc/cmdline shows it; nothing if there is no such menu.
///
/// Of custom.cfg it understands menu entries, `set`, `save_env`, and `if` with `[ ]` or `save_env`; other
/// commands choose no entry and are passed over.
[[nodiscard]] std::optional<std::string> boot_by_grub(SimFiles& files, const std::string& directory);

}  // namespace gpuhost
