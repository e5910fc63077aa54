#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// grub.cfg with new kernel arguments after the root file system of each `linux` line; recovery entries get
/// `recovery`, the others `normal`.
[[nodiscard]] std::string with_grub_arguments(std::string_view config, std::string_view normal,
                                              std::string_view recovery);

/// What GRUB boots without being told otherwise: the first `linux` line as the kernel will show it in
/// /proc/cmdline. Words that are GRUB variables are left out. Nothing if there is no such line.
[[nodiscard]] std::optional<std::string> first_grub_command_line(std::string_view config);

/// Loader entries (Boot Loader Specification, type 1) in the first entries directory the host has; what boots
/// by default, the newest version, stands first and rescue entries last.
[[nodiscard]] std::vector<std::string> loader_entries(const SimFiles& files);

/// Variables of systemd's boot loader interface, as efivarfs shows them: LoaderEntryDefault and the like. An
/// empty value takes the variable away. Source: systemd.io/BOOT_LOADER_INTERFACE.
[[nodiscard]] std::string loader_variable(const SimFiles& files, std::string_view name);
void set_loader_variable(SimFiles& files, std::string_view name, std::string_view value);

/// The entry that the loader takes, by those variables; empty: there is none. What is to be taken once is not
/// any more after this.
[[nodiscard]] std::string take_loader_entry(SimFiles& files);

/// A field of a loader entry; nothing if it has none.
[[nodiscard]] std::optional<std::string> entry_field(std::string_view entry, std::string_view key);
[[nodiscard]] std::string with_entry_field(std::string_view entry, std::string_view key,
                                           std::string_view value);

/// `root=` and `ro` and the like come first in a command line; these are they.
[[nodiscard]] bool names_root_file_system(std::string_view word);

}  // namespace gpuhost
