#pragma once

#include "base/result.hpp"
#include "host/commands.hpp"
#include "host/real/systemd/session.hpp"

namespace gpuhost {

/// Runs a command as a oneshot service of its own, which goes on if gpuhost dies. Its output is in
/// /run/gpuhost/runs/<unit>.log meanwhile, and stays there if the program did not end with 0. systemd adds a
/// few variables of its own (INVOCATION_ID …) to the environment. Throws what a Session throws.
[[nodiscard]] Result<CommandResult> run_as_service(Session& session, const Command& command);

}  // namespace gpuhost
