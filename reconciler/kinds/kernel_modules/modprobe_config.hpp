#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// Module parameters by name with `_`.
using ModuleOptions = std::map<std::string, std::string>;

/// What files of modprobe.d(5) say together. Module names have `_`.
struct ModprobeConfig {
  struct Install {
    std::string command;
    std::string file;
  };
  std::map<std::string, ModuleOptions> options;    ///< a later value of a parameter wins, as in the kernel
  std::map<std::string, ModuleOptions> set_by;     ///< the file that each of those values is from
  std::map<std::string, std::string> blacklisted;  ///< the first file that does
  std::map<std::string, Install> install;          ///< the first command wins, as in libkmod

  /// Adds a file's lines. Lines that gpuhost has no use for are skipped.
  void add(std::string_view text, const std::string& file);
  /// Neither by alias nor by name can the module be loaded.
  [[nodiscard]] bool blocks(const std::string& module) const;
  /// Loading it by name does nothing or fails.
  [[nodiscard]] bool replaces_loading(const std::string& module) const;
};

struct ConfigFile {
  std::string path;
  std::string text;
};

/// The `.conf` files of several directories, by name; a file hides those of the same name in later
/// directories. Fails at the first that cannot be read.
[[nodiscard]] Result<std::vector<ConfigFile>> read_config_files(const FileReader& files,
                                                                const std::vector<std::string>& directories);

/// What modprobe would read, but for one file.
[[nodiscard]] Result<ModprobeConfig> read_modprobe_config(const FileReader& files,
                                                          std::string_view left_out = {});

/// Where each module is listed that systemd-modules-load(8) loads at boot.
[[nodiscard]] Result<std::map<std::string, std::string>> read_modules_at_boot(const FileReader& files);

/// The names in a modules-load.d file.
[[nodiscard]] std::set<std::string> parse_module_list(std::string_view text);

}  // namespace gpuhost
