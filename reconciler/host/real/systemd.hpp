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
};

}  // namespace gpuhost
