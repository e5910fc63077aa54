#pragma once

#include "host/commands.hpp"

namespace gpuhost {

/// Runs a command as a child in its own session, for hosts without systemd. It does not outlive gpuhost's
/// deadline: the session's process group gets SIGTERM, some seconds later SIGKILL; what a program left behind
/// in its group ends with it, as it would in a systemd service. A program ended by a signal has exit code 128
/// + signal, as in a shell.
class ChildCommands final : public CommandRunner {
 public:
  Result<CommandResult> run(const Command& command) override;
};

}  // namespace gpuhost
