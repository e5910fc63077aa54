#pragma once

#include "base/result.hpp"
#include "host/commands.hpp"

namespace gpuhost {

/// Runs a command that must end with 0; another end is an error with the last line of its output.
Result<void> run_to_success(CommandRunner& commands, const Command& command);

}  // namespace gpuhost
