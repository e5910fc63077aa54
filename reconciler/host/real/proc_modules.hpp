#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "host/kernel_modules.hpp"

namespace gpuhost {

/// Parses /proc/modules: "name size use-count users state address", where users is "-" or "a,b,". Modules
/// that are just coming or going are left out. Source: m_show() and print_unload_info() in
/// kernel/module/procfs.c.
[[nodiscard]] Result<std::map<std::string, LoadedModule>> parse_proc_modules(std::string_view text);

}  // namespace gpuhost
