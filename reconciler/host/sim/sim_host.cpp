#include "host/sim/sim_host.hpp"

#include <mutex>

#include <fmt/ranges.h>

#include "base/text.hpp"
#include "host/sim/sim_boot.hpp"
#include "host/sim/sim_clock.hpp"
#include "host/sim/sim_commands.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_modprobe.hpp"
#include "host/sim/sim_modules.hpp"
#include "host/sim/sim_units.hpp"

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
  };

  explicit World(HostFile given) : file(std::move(given)) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// One call through a port.
  template <class T, class Act>
  Result<T> call(const char* name, const std::string& object, bool write, Act act) {
    const std::lock_guard lock(mutex);
    log.push_back({name, object, write});
    if (auto fault = due(object.empty() ? name : fmt::format("{} {}", name, object))) {
      return std::unexpected(*std::move(fault));
    }
    return act();
  }

  std::optional<Error> due(const std::string& call) {
    std::optional<Error> error;
    std::erase_if(faults, [&](Fault& fault) {
      if (fault.call != call || --fault.left > 0) return false;
      error = fault.error;
      return true;
    });
    return error;
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
    Result<void> write_attribute(const std::string& path, std::string_view text) override {
      return world.call<void>("files.write_attribute", path, true,
                              [&] { return world.disk.write_attribute(path, text); });
    }
    Result<void> replace(const std::string& path, std::string_view content, unsigned mode) override {
      return world.call<void>("files.replace", path, true, [&] {
        return world.keeping_initramfs(path, [&] { return world.disk.replace(path, content, mode); });
      });
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

  SimClock time;
  SimFiles disk{file.files};
  SimModules kernel_modules{file, disk};
  SimUnits systemd{file, time};
  SimCommands programs{file, disk, time};

  Files files{*this};
  Modules modules{*this};
  Units units{*this};
  Commands commands{*this};
  LockedClock clock{*this};
};

SimHost::SimHost(HostFile file) : world_(std::make_unique<World>(std::move(file))) {}
SimHost::~SimHost() = default;

HostView SimHost::view() const {
  return {world_->files, world_->modules, world_->units, world_->clock, true};
}

Host SimHost::host() {
  return {view(), world_->files, world_->modules, world_->units, world_->commands};
}

Result<void> SimHost::reboot() {
  return world_->call<void>("reboot", "", true, [this]() -> Result<void> {
    boot(world_->file, world_->disk, world_->kernel_modules, world_->systemd);
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

void SimHost::inject(const std::string& call, unsigned nth, Error error) {
  const std::lock_guard lock(world_->mutex);
  world_->faults.push_back({std::string(trim(call)), nth, std::move(error)});
}

}  // namespace gpuhost
