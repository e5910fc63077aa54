#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gpuhost {

/// What every external program is given, whoever starts it.
inline constexpr const char* command_locale = "LC_ALL=C";
inline constexpr const char* command_path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
inline constexpr std::size_t command_output_limit = std::size_t{64} << 10U;

/// Whether argv[0] can be run at all. not_found: it does not exist; invalid: it is no absolute path; denied:
/// it may not be executed.
[[nodiscard]] Result<void> check_program(const std::string& program);

/// Drops all but the last command_output_limit bytes.
void keep_tail(std::string& output);

}  // namespace gpuhost
