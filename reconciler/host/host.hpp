#pragma once

#include <string>

#include "host/clock.hpp"
#include "host/commands.hpp"
#include "host/files.hpp"
#include "host/kernel_modules.hpp"
#include "host/units.hpp"

namespace gpuhost {

/// A host that can be looked at and, by type, not changed. Refers to adapters that live longer.
struct HostView {
  const FileReader& files;
  const ModuleReader& modules;
  const UnitReader& units;
  const Clock& clock;
  /// False for a directory given by --root: it has files, but no kernel and no systemd of its own runs there,
  /// so that only what the next boot will read applies to it.
  bool running = true;
};

/// A host that can be changed.
struct Host {
  HostView view;
  FileWriter& files;
  ModuleWriter& modules;
  UnitWriter& units;
  CommandRunner& commands;
};

}  // namespace gpuhost
