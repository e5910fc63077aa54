#pragma once

#include <string>

#include "base/result.hpp"
#include "host/commands.hpp"
#include "host/real/systemd/session.hpp"

namespace gpuhost {

/// Systemd::run_later and Systemd::cancel_later say what these do. No unit of the name may be left when one
/// is started; the session watches jobs. Throw what a Session throws.
Result<void> start_delayed(Session& session, const std::string& name, const Command& command,
                           std::chrono::seconds delay);
Result<void> cancel_delayed(Session& session, const std::string& name);

}  // namespace gpuhost
