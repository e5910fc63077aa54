#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/files.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"

namespace gpuhost {

/// The file, in the directory of entries, of the one that gpuhost keeps while the others are tried.
inline constexpr const char* loader_fallback = "gpuhost-fallback.conf";

/// The entries of a Boot Loader Specification directory, the newest kernel first, without rescue entries and
/// the one that is kept.
/// `$name` in their options is looked up in `variables` (GRUB's environment block), and is nothing if it is
/// not there. not_found: there is no such directory or no entry in it.
[[nodiscard]] Result<std::vector<BootEntry>> read_loader_entries(
    const FileReader& files, const std::string& directory,
    const std::map<std::string, std::string, std::less<>>& variables = {});

/// `name=value` lines of a GRUB environment block; comments and the padding of `#` are skipped.
[[nodiscard]] std::map<std::string, std::string, std::less<>> parse_grub_environment(std::string_view text);

/// The entry of one file: its title and its `options` lines, joined.
[[nodiscard]] BootEntry parse_loader_entry(std::string_view text,
                                           const std::map<std::string, std::string, std::less<>>& variables);

/// Whether version `a` is newer than `b`: numbers compare as numbers, all else by bytes.
[[nodiscard]] bool newer_version(std::string_view a, std::string_view b);

}  // namespace gpuhost
