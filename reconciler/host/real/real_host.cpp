#include "host/real/real_host.hpp"

#include <fmt/format.h>

#include "host/real/absent_ports.hpp"
#include "host/real/boot_clock.hpp"
#include "host/real/child_commands.hpp"
#include "host/real/kmod_modules.hpp"
#include "host/real/lazy_libvirt.hpp"
#include "host/real/lazy_systemd.hpp"
#include "host/real/linux_files.hpp"
#include "host/real/nvml/nvml_gpus.hpp"
#include "host/real/proc_processes.hpp"
#include "host/real/uevent_waiter.hpp"

namespace gpuhost {

namespace {

/// Commands as services where systemd runs, so that they outlive us; as children elsewhere.
class HostCommands final : public CommandRunner {
 public:
  explicit HostCommands(Systemd& systemd) : systemd_(systemd) {}
  Result<CommandResult> run(const Command& command) override {
    return LazySystemd::booted() ? systemd_.run(command) : children_.run(command);
  }

 private:
  Systemd& systemd_;
  ChildCommands children_;
};

}  // namespace

struct RealHost::Adapters {
  explicit Adapters(const std::string& root)
      : files(root), modules(files), commands(systemd), absent(absence(root)), running(root == "/") {}

  static std::string absence(const std::string& root) {
    return fmt::format("{} is a directory, not the running system: only its files can be read and changed",
                       root);
  }
  /// The live adapter, or the absent one under --root.
  template <class Port, class Live>
  Port& port(Live& live) {
    if (running) return live;
    return absent;
  }

  LinuxFiles files;
  KmodModules modules;
  LazySystemd systemd;
  LazyLibvirt libvirt;
  ProcProcesses processes;
  NvmlGpus gpus;
  UeventWaiter waiter;
  HostCommands commands;
  BootClock clock;
  AbsentPorts absent;
  bool running;
};

RealHost::RealHost(std::string root) : adapters_(std::make_unique<Adapters>(root)) {}

RealHost::~RealHost() = default;

HostView RealHost::view() const {
  auto& at = *adapters_;
  return {.files = at.files,
          .modules = at.port<ModuleReader>(at.modules),
          .units = at.port<UnitReader>(at.systemd),
          .domains = at.port<DomainReader>(at.libvirt),
          .processes = at.port<ProcessReader>(at.processes),
          .gpus = at.port<GpuReader>(at.gpus),
          .clock = at.clock,
          .running = at.running};
}

Host RealHost::host() {
  auto& at = *adapters_;
  return {.view = view(),
          .files = at.files,
          .modules = at.port<ModuleWriter>(at.modules),
          .units = at.port<UnitWriter>(at.systemd),
          .domains = at.port<DomainWriter>(at.libvirt),
          .agents = at.port<GuestAgents>(at.libvirt),
          .gpus = at.port<GpuWriter>(at.gpus),
          .commands = at.port<CommandRunner>(at.commands),
          .waiter = at.port<Waiter>(at.waiter)};
}

Result<void> RealHost::reboot() {
  if (!adapters_->running) return fail(ErrorKind::unavailable, "only the running system can be rebooted");
  return adapters_->systemd.reboot();
}

Result<void> RealHost::run_later(const std::string& name, const Command& command,
                                 std::chrono::seconds delay) {
  if (!adapters_->running)
    return fail(ErrorKind::unavailable, "only the running system can run something later");
  return adapters_->systemd.run_later(name, command, delay);
}

Result<void> RealHost::cancel_later(const std::string& name) {
  if (!adapters_->running) return {};
  return adapters_->systemd.cancel_later(name);
}

}  // namespace gpuhost
