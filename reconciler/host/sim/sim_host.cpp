#include "host/sim/sim_host.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include <fmt/ranges.h>

#include "base/text.hpp"
#include "host/sim/sim_boot.hpp"
#include "host/sim/sim_clock.hpp"
#include "host/sim/sim_commands.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_display_modes.hpp"
#include "host/sim/sim_domains.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_gpus.hpp"
#include "host/sim/sim_guest_agents.hpp"
#include "host/sim/sim_mdev.hpp"
#include "host/sim/sim_modprobe.hpp"
#include "host/sim/sim_modules.hpp"
#include "host/sim/sim_nvidia.hpp"
#include "host/sim/sim_pci.hpp"
#include "host/sim/sim_processes.hpp"
#include "host/sim/sim_sysfs.hpp"
#include "host/sim/sim_units.hpp"
#include "host/sim/sim_vendor_vfio.hpp"

namespace gpuhost {

namespace {

bool has_initramfs(const SimFiles& files) {
  for (const char* tool :
       {"/usr/sbin/update-initramfs", "/usr/bin/dracut", "/usr/sbin/dracut", "/usr/bin/mkinitcpio"}) {
    if (files.exists(tool).value_or(false)) return true;
  }
  return false;
}

}  // namespace

/// The host and its ports. Each port takes the lock, writes the access down, and lets an injected fault go
/// first.
struct SimHost::World {
  struct Fault {
    std::string call;
    unsigned left;
    Error error;
    Work work;
  };

  explicit World(HostFile given) : file(std::move(given)) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// One call through a port.
  template <class T, class Act>
  Result<T> call(const char* name, const std::string& object, bool write, Act act) {
    std::unique_lock lock(mutex);
    if (before_call) before_call({name, object, write});
    log.push_back({name, object, write});
    const auto fault = due(object.empty() ? name : fmt::format("{} {}", name, object));
    if (fault && fault->work == Work::not_done) return std::unexpected(fault->error);
    Result<T> result = act();
    pass(time.taken(), lock);
    if (fault) return std::unexpected(fault->error);
    return result;
  }

  /// Makes the calling thread wait; others go on meanwhile.
  void pass(std::chrono::nanoseconds wait, std::unique_lock<std::mutex>& lock) {
    if (wait <= std::chrono::nanoseconds{0}) return;
    const auto waiting = waits_until.insert(time.now() + wait);
    go_on_if_all_wait();
    time_passed.wait(lock, [&] { return time.now() >= *waiting; });
    waits_until.erase(waiting);
  }

  /// To the first moment that somebody waits for.
  void go_on_if_all_wait() {
    if (waits_until.empty() || waits_until.size() < threads) return;
    time.advance_to(*waits_until.begin());
    time_passed.notify_all();
  }

  std::optional<Fault> due(const std::string& call) {
    std::optional<Fault> found;
    std::erase_if(faults, [&](Fault& fault) {
      if (fault.call != call || --fault.left > 0) return false;
      found = fault;
      return true;
    });
    return found;
  }

  /// One that the host file does not list cannot be seen to end.
  bool is_alive(int pid) const {
    if (!file.processes.contains(pid)) return true;
    const auto running = running_processes(file, disk);
    return std::ranges::find(running, pid, &Process::pid) != running.end();
  }

  Result<std::vector<Process>> device_users() const {
    if (file.processes_unknown) return std::unexpected(*file.processes_unknown);
    return running_processes(file, disk);
  }

  /// What the initramfs holds does not change with modprobe.d, but stays as it was until it is built again.
  template <class Change>
  Result<void> keeping_initramfs(const std::string& path, Change change) {
    if (!is_modprobe_path(path) || !has_initramfs(disk)) return change();
    const std::string built = file.machine.initramfs.value_or(modprobe_text(disk));
    auto done = change();
    file.machine.initramfs = modprobe_text(disk) == built ? std::nullopt : std::optional(built);
    return done;
  }

  struct Files final : FileReader, FileWriter {
    explicit Files(World& w) : world(w) {}
    Result<std::string> read(const std::string& path) const override {
      return world.call<std::string>("files.read", path, false, [&] { return world.disk.read(path); });
    }
    Result<std::vector<std::string>> list(const std::string& path) const override {
      return world.call<std::vector<std::string>>("files.list", path, false,
                                                  [&] { return world.disk.list(path); });
    }
    Result<std::string> link_target(const std::string& path) const override {
      return world.call<std::string>("files.link_target", path, false,
                                     [&] { return world.disk.link_target(path); });
    }
    Result<FileStatus> status(const std::string& path) const override {
      return world.call<FileStatus>("files.status", path, false, [&] { return world.disk.status(path); });
    }
    Result<std::string> digest(const std::string& path) const override {
      return world.call<std::string>("files.digest", path, false, [&] { return world.disk.digest(path); });
    }
    Result<void> write_attribute(const std::string& path, std::string_view text) override {
      return world.call<void>("files.write_attribute", path, true,
                              [&] { return world.sysfs.write_attribute(path, text); });
    }
    Result<void> replace(const std::string& path, std::string_view content, unsigned mode) override {
      return world.call<void>("files.replace", path, true, [&] {
        return world.keeping_initramfs(path, [&] { return world.disk.replace(path, content, mode); });
      });
    }
    Result<void> append(const std::string& path, std::string_view text) override {
      return world.call<void>("files.append", path, true, [&] { return world.disk.append(path, text); });
    }
    Result<void> copy(const std::string& from, const std::string& to, const std::string& sha256) override {
      return world.call<void>("files.copy", to, true, [&] { return world.disk.copy(from, to, sha256); });
    }
    Result<void> remove(const std::string& path) override {
      return world.call<void>("files.remove", path, true, [&] {
        return world.keeping_initramfs(path, [&] { return world.disk.remove(path); });
      });
    }
    World& world;
  };

  struct Modules final : ModuleReader, ModuleWriter {
    explicit Modules(World& w) : world(w) {}
    Result<std::map<std::string, LoadedModule>> loaded() const override {
      return world.call<std::map<std::string, LoadedModule>>("modules.loaded", "", false,
                                                             [&] { return world.kernel_modules.loaded(); });
    }
    Result<ModuleFile> available(const std::string& name) const override {
      return world.call<ModuleFile>("modules.available", name, false,
                                    [&] { return world.kernel_modules.available(name); });
    }
    Result<void> load(const std::string& name) override {
      return world.call<void>("modules.load", name, true, [&] { return world.kernel_modules.load(name); });
    }
    Result<void> load_again(const std::string& name) override {
      return world.call<void>("modules.load_again", name, true,
                              [&] { return world.kernel_modules.load_again(name); });
    }
    Result<void> unload(const std::string& name) override {
      return world.call<void>("modules.unload", name, true,
                              [&] { return world.kernel_modules.unload(name); });
    }
    World& world;
  };

  struct Units final : UnitReader, UnitWriter {
    explicit Units(World& w) : world(w) {}
    Result<UnitState> state(const std::string& unit) const override {
      return world.call<UnitState>("units.state", unit, false, [&] { return world.systemd.state(unit); });
    }
    Result<void> start(const std::string& unit, std::chrono::seconds limit) override {
      return world.call<void>("units.start", unit, true, [&] { return world.systemd.start(unit, limit); });
    }
    Result<void> stop(const std::string& unit, std::chrono::seconds limit) override {
      return world.call<void>("units.stop", unit, true, [&] { return world.systemd.stop(unit, limit); });
    }
    Result<void> reload(const std::string& unit, std::chrono::seconds limit) override {
      return world.call<void>("units.reload", unit, true, [&] { return world.systemd.reload(unit, limit); });
    }
    Result<void> enable(const std::string& unit) override {
      return world.call<void>("units.enable", unit, true, [&] { return world.systemd.enable(unit); });
    }
    Result<void> disable(const std::string& unit) override {
      return world.call<void>("units.disable", unit, true, [&] { return world.systemd.disable(unit); });
    }
    World& world;
  };

  struct Agents final : GuestAgents {
    using Text = const std::string&;
    explicit Agents(World& w) : world(w) {}
    Result<std::string> operating_system(Text connection, Text domain) override {
      return world.call<std::string>("agents.operating_system", domain, false,
                                     [&] { return world.guest_agents.operating_system(connection, domain); });
    }
    Result<std::string> read(Text connection, Text domain, Text path) override {
      return world.call<std::string>("agents.read", path, false,
                                     [&] { return world.guest_agents.read(connection, domain, path); });
    }
    Result<CommandResult> run(Text connection, Text domain, const Command& command) override {
      return world.call<CommandResult>("agents.run", command.argv.front(), true,
                                       [&] { return world.guest_agents.run(connection, domain, command); });
    }
    World& world;
  };

  struct Domains final : DomainReader, DomainWriter {
    using Text = const std::string&;
    explicit Domains(World& w) : world(w) {}
    Result<std::vector<Domain>> domains(Text connection) const override {
      return world.call<std::vector<Domain>>("domains.domains", connection, false,
                                             [&] { return world.libvirt.domains(connection); });
    }
    Result<Domain> domain(Text connection, Text name) const override {
      return world.call<Domain>("domains.domain", name, false,
                                [&] { return world.libvirt.domain(connection, name); });
    }
    Result<std::string> full_definition(Text connection, Text name) override {
      return world.call<std::string>("domains.full_definition", name, false,
                                     [&] { return world.libvirt.full_definition(connection, name); });
    }
    Result<void> define(Text connection, Text xml) override {
      return write("domains.define", connection, [&] { return world.libvirt.define(connection, xml); });
    }
    Result<void> start(Text connection, Text name) override {
      return write("domains.start", name, [&] { return world.libvirt.start(connection, name); });
    }
    Result<void> shut_down(Text connection, Text name, std::chrono::seconds limit) override {
      return write("domains.shut_down", name,
                   [&] { return world.libvirt.shut_down(connection, name, limit); });
    }
    Result<void> managed_save(Text connection, Text name) override {
      return write("domains.managed_save", name,
                   [&] { return world.libvirt.managed_save(connection, name); });
    }
    Result<void> destroy(Text connection, Text name) override {
      return write("domains.destroy", name, [&] { return world.libvirt.destroy(connection, name); });
    }
    Result<void> set_autostart(Text connection, Text name, bool on) override {
      return write("domains.set_autostart", name,
                   [&] { return world.libvirt.set_autostart(connection, name, on); });
    }
    Result<void> attach(Text connection, Text name, Text device_xml) override {
      return write("domains.attach", name,
                   [&] { return world.libvirt.attach(connection, name, device_xml); });
    }
    Result<void> detach(Text connection, Text name, Text device_xml, std::chrono::seconds limit) override {
      return write("domains.detach", name,
                   [&] { return world.libvirt.detach(connection, name, device_xml, limit); });
    }
    template <class Act>
    Result<void> write(const char* name, const std::string& object, Act act) {
      return world.call<void>(name, object, true, act);
    }
    World& world;
  };

  struct Processes final : ProcessReader {
    explicit Processes(World& w) : world(w) {}
    Result<std::vector<Process>> device_users() const override {
      return world.call<std::vector<Process>>("processes.device_users", "", false,
                                              [&] { return world.device_users(); });
    }
    World& world;
  };

  struct Gpus final : GpuReader, GpuWriter {
    explicit Gpus(World& w) : world(w) {}
    Result<GpuReports> gpus() const override {
      return world.call<GpuReports>("gpus.gpus", "", false, [&] { return world.nvml.gpus(); });
    }
    Result<GpuSwitch> set_mig_mode(const PciAddress& gpu, bool on) override {
      return write<GpuSwitch>("gpus.set_mig_mode", gpu, [&] { return world.nvml.set_mig_mode(gpu, on); });
    }
    Result<GpuSwitch> set_ecc(const PciAddress& gpu, bool on) override {
      return write<GpuSwitch>("gpus.set_ecc", gpu, [&] { return world.nvml.set_ecc(gpu, on); });
    }
    Result<void> set_scheduler(const PciAddress& gpu, const VgpuScheduler& scheduler) override {
      return write<void>("gpus.set_scheduler", gpu, [&] { return world.nvml.set_scheduler(gpu, scheduler); });
    }
    Result<void> set_mixed_sizes(const PciAddress& gpu, bool on) override {
      return write<void>("gpus.set_mixed_sizes", gpu, [&] { return world.nvml.set_mixed_sizes(gpu, on); });
    }
    Result<GpuInstance> create_gpu_instance(const PciAddress& gpu, unsigned profile,
                                            MigPlacement placement) override {
      return write<GpuInstance>("gpus.create_gpu_instance", gpu,
                                [&] { return world.nvml.create_gpu_instance(gpu, profile, placement); });
    }
    Result<void> destroy_gpu_instance(const PciAddress& gpu, unsigned id) override {
      return write<void>("gpus.destroy_gpu_instance", gpu,
                         [&] { return world.nvml.destroy_gpu_instance(gpu, id); });
    }
    Result<ComputeInstance> create_compute_instance(const PciAddress& gpu, unsigned gpu_instance,
                                                    unsigned slices) override {
      return write<ComputeInstance>("gpus.create_compute_instance", gpu, [&] {
        return world.nvml.create_compute_instance(gpu, gpu_instance, slices);
      });
    }
    Result<void> destroy_compute_instance(const PciAddress& gpu, unsigned gpu_instance,
                                          unsigned id) override {
      return write<void>("gpus.destroy_compute_instance", gpu,
                         [&] { return world.nvml.destroy_compute_instance(gpu, gpu_instance, id); });
    }
    template <class T, class Act>
    Result<T> write(const char* name, const PciAddress& gpu, Act act) {
      return world.call<T>(name, gpu.to_string(), true, act);
    }
    World& world;
  };

  /// Each second of a wait brings a device event, and with it what was late.
  struct Waits final : Waiter {
    explicit Waits(World& w) : world(w) {}
    bool until(const std::function<bool()>& done, std::chrono::seconds limit) override {
      for (auto left = limit;; left -= std::chrono::seconds{1}) {
        if (done()) return true;
        if (left <= std::chrono::seconds{0}) return false;
        std::unique_lock lock(world.mutex);
        world.pass(std::chrono::seconds{1}, lock);
        world.nvidia.device_event();
      }
    }
    World& world;
  };

  struct Commands final : CommandRunner {
    explicit Commands(World& w) : world(w) {}
    Result<CommandResult> run(const Command& command) override {
      const std::string program = command.argv.empty() ? "" : command.argv.front();
      return world.call<CommandResult>("commands.run", program, true,
                                       [&] { return world.programs.run(command); });
    }
    World& world;
  };

  struct LockedClock final : Clock {
    explicit LockedClock(World& w) : world(w) {}
    std::chrono::nanoseconds since_boot() const override {
      const std::lock_guard lock(world.mutex);
      return world.time.since_boot();
    }
    std::string utc_now() const override {
      const std::lock_guard lock(world.mutex);
      return world.time.utc_now();
    }
    World& world;
  };

  HostFile file;
  std::mutex mutex;
  std::vector<Access> log;
  std::vector<Fault> faults;
  std::function<void(const Access&)> before_call;

  SimClock time;
  std::condition_variable time_passed;
  std::size_t threads = 1;                              ///< that are at work
  std::multiset<std::chrono::nanoseconds> waits_until;  ///< of those that wait, since boot
  SimFiles disk{file.files};
  NodeUsers node_users = [this](const std::string& node) { return users_of(file, disk, node); };
  SimDeviceTree devices{disk};
  SimVgpuTypes vgpu_types{file, devices};
  SimMdev mdev{devices, vgpu_types, node_users};
  SimVendorVfio vendor_vfio{devices, vgpu_types, node_users};
  SimNvidia nvidia{file, devices, mdev, vendor_vfio, node_users};
  SimGpus nvml{file, devices, vgpu_types, nvidia, time, [this](int pid) { return is_alive(pid); }};
  SimPci pci{file, devices, nvidia, node_users};
  SimSysfs sysfs{disk, pci, mdev, vendor_vfio};
  SimModules kernel_modules{file, disk, pci};
  SimUnits systemd{file, time};
  SimDisplayModes displays{file, devices};
  SimCommands programs{file, disk, nvidia, nvml, displays, time};
  SimDomains libvirt{file, disk, sysfs, kernel_modules, time};
  SimGuestAgents guest_agents{file};

  Files files{*this};
  Modules modules{*this};
  Units units{*this};
  Domains domains{*this};
  Agents agents{*this};
  Processes processes{*this};
  Gpus gpus{*this};
  Waits waits{*this};
  Commands commands{*this};
  LockedClock clock{*this};
};

SimHost::SimHost(HostFile file) : world_(std::make_unique<World>(std::move(file))) {}
SimHost::~SimHost() = default;

HostView SimHost::view() const {
  return {.files = world_->files,
          .modules = world_->modules,
          .units = world_->units,
          .domains = world_->domains,
          .processes = world_->processes,
          .gpus = world_->gpus,
          .clock = world_->clock};
}

Host SimHost::host() {
  return {.view = view(),
          .files = world_->files,
          .modules = world_->modules,
          .units = world_->units,
          .domains = world_->domains,
          .agents = world_->agents,
          .gpus = world_->gpus,
          .commands = world_->commands,
          .waiter = world_->waits};
}

Result<void> SimHost::reboot() {
  return world_->call<void>("reboot", "", true, [this]() -> Result<void> {
    world_->libvirt.power_off();
    world_->nvml.boot();
    world_->displays.boot();
    if (auto up = boot(world_->file, world_->disk, world_->pci, world_->kernel_modules, world_->systemd); !up)
      return up;
    world_->libvirt.power_on();
    world_->time.boot();
    return {};
  });
}

const HostFile& SimHost::file() const {
  return world_->file;
}

std::vector<SimHost::Access> SimHost::accesses() const {
  const std::lock_guard lock(world_->mutex);
  return world_->log;
}

void SimHost::watch(std::function<void(const Access&)> before_call) {
  const std::lock_guard lock(world_->mutex);
  world_->before_call = std::move(before_call);
}

void SimHost::at_work(int more) {
  const std::lock_guard lock(world_->mutex);
  world_->threads = static_cast<std::size_t>(static_cast<int>(world_->threads) + more);
  world_->go_on_if_all_wait();
}

void SimHost::inject(const std::string& call, unsigned nth, Error error, Work work) {
  const std::lock_guard lock(world_->mutex);
  world_->faults.push_back({std::string(trim(call)), nth, std::move(error), work});
}

}  // namespace gpuhost
