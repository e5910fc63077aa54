#pragma once

#include "host/clock.hpp"
#include "host/commands.hpp"
#include "host/domains.hpp"
#include "host/files.hpp"
#include "host/gpus.hpp"
#include "host/guest_agents.hpp"
#include "host/kernel_modules.hpp"
#include "host/processes.hpp"
#include "host/round_memo.hpp"
#include "host/units.hpp"
#include "host/waiter.hpp"

namespace gpuhost {

/// A host that can be looked at and, by type, not changed. Refers to adapters that live longer.
struct HostView {
  const FileReader& files;
  const ModuleReader& modules;
  const UnitReader& units;
  const DomainReader& domains;
  const ProcessReader& processes;
  const GpuReader& gpus;
  const Clock& clock;
  /// False for a directory given by --root: it has files, but no kernel and no systemd of its own runs there,
  /// so that only what the next boot will read applies to it.
  bool running = true;
  /// Set while several look at once and share what they work out.
  RoundMemo* memo = nullptr;

  /// What `make` yields, worked out once in a look. T names it: one type for one piece of work.
  template <class T, class Make>
  [[nodiscard]] std::shared_ptr<const T> once(Make make) const {
    return memo != nullptr ? memo->once<T>(make) : std::make_shared<const T>(make());
  }
};

/// A host that can be changed.
struct Host {
  HostView view;
  FileWriter& files;
  ModuleWriter& modules;
  UnitWriter& units;
  DomainWriter& domains;
  GuestAgents& agents;
  GpuWriter& gpus;
  CommandRunner& commands;
  Waiter& waiter;
};

}  // namespace gpuhost
