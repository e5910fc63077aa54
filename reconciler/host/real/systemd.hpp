#pragma once

#include "base/result.hpp"
#include "host/commands.hpp"
#include "host/units.hpp"

namespace gpuhost {

/// All that gpuhost asks of systemd. A command runs as a transient service, so that it is bounded and
/// outlives gpuhost; a program ended by a signal has exit code 128 + signal, as in a shell. Every call of
/// every port may come from any thread. libgpuhost-systemd.so makes one, see AdapterLibrary.
class Systemd : public UnitReader, public UnitWriter, public CommandRunner {
 public:
  /// Asks for an orderly reboot and returns at once.
  virtual Result<void> reboot() = 0;

  /// Runs a command after `delay`, whatever becomes of gpuhost: as NAME.service, started by NAME.timer, both
  /// of which take the place of earlier ones and are gone when it has ended, or with a reboot. A command that
  /// ends with EX_TEMPFAIL (75) is run again, until it does not.
  virtual Result<void> run_later(const std::string& name, const Command& command,
                                 std::chrono::seconds delay) = 0;
  /// Done when nothing of this name is left to be run, or runs.
  virtual Result<void> cancel_later(const std::string& name) = 0;
};

}  // namespace gpuhost
