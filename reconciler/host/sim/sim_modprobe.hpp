#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// What modprobe.d(5) says, as far as the simulator acts on it. Module and parameter names have `_`.
struct SimModprobe {
  struct Option {
    std::string name;
    std::string value;  ///< "Y" for an option without value
  };
  std::map<std::string, std::vector<Option>>
      options;  ///< by module, in the order they are given to the kernel
  std::vector<std::string> blacklisted;
  std::map<std::string, std::vector<std::string>> loaded_before;  ///< `softdep MODULE pre:`
  std::map<std::string, std::vector<std::string>> loaded_after;   ///< `softdep MODULE post:`
  std::map<std::string, std::string> install;  ///< module → command that runs in place of loading it

  [[nodiscard]] bool is_blacklisted(const std::string& module) const;
  /// Not loaded when the hardware asks for it.
  [[nodiscard]] bool blocks(const std::string& module) const;
};

/// All lines of modprobe.d in the order modprobe reads them. A file in a directory named earlier hides one of
/// the same name in a later one; the rest is read in byte order of file names. Source: modprobe.d(5), kmod's
/// libkmod-config.c.
[[nodiscard]] std::string modprobe_text(const SimFiles& files);

/// Whether a change of this path can change modprobe_text().
[[nodiscard]] bool is_modprobe_path(std::string_view path);

/// The configuration in `text`, then what the kernel command line adds: `MODULE.PARAMETER=VALUE` and
/// `modprobe.blacklist=`. Source: libkmod-config.c, which reads the command line last.
[[nodiscard]] SimModprobe parse_modprobe(std::string_view text, std::string_view command_line);

}  // namespace gpuhost
