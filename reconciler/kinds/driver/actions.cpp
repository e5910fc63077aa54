#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/driver/steps.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/run_command.hpp"

namespace gpuhost {

namespace {

constexpr std::chrono::seconds daemon_limit{90};

std::string text_in(const StepAction& action, const char* key) {
  if (!action.arguments.is_object()) return {};
  const auto found = action.arguments.find(key);
  return found != action.arguments.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Json value_in(const StepAction& action, const char* key) {
  return action.arguments.is_object() ? action.arguments.value(key, Json()) : Json();
}

bool is_with_manager(const StepAction& action) {
  const auto manager = value_in(action, "manager");
  return manager.is_boolean() && manager.get<bool>();
}

std::unexpected<Error> no_such_step(const StepAction& action) {
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

/// Units that the host has. One without systemd has none that could be asked.
std::vector<const char*> daemons_of(const HostView& host) {
  std::vector<const char*> found;
  for (const auto* daemon : manager_daemons)
    if (const auto unit = host.units.state(daemon); unit && unit->load_state == "loaded")
      found.push_back(daemon);
  return found;
}

Result<bool> is_loaded(const StepAction& action, const HostView& host) {
  const auto version = host.files.read("/sys/module/nvidia/version");
  if (!version && version.error().kind == ErrorKind::not_found) return false;
  if (!version) return std::unexpected(version.error());
  if (trim(*version) != text_in(action, "version")) return false;
  if (!is_with_manager(action)) return true;
  for (const auto* daemon : daemons_of(host))
    if (const auto unit = host.units.state(daemon); unit && unit->is_inactive()) return false;
  return host.files.exists(fmt::format("/sys/module/{}", manager_module));
}

Result<void> load(const StepAction& action, Host& host) {
  if (auto loaded = host.modules.load(nvidia_module); !loaded || !is_with_manager(action)) return loaded;
  if (auto loaded = host.modules.load(manager_module); !loaded) return loaded;
  for (const auto* daemon : daemons_of(host.view)) {
    const auto unit = host.view.units.state(daemon);
    if (!unit || !unit->is_inactive()) continue;
    if (auto started = host.units.start(daemon, daemon_limit); !started) return started;
  }
  return {};
}

/// One that no other module rests on; nothing: none is loaded. busy: each is in use by one that is not the
/// driver's.
Result<std::optional<std::string>> next_to_unload(const ModuleReader& modules) {
  const auto loaded = modules.loaded();
  if (!loaded) return std::unexpected(loaded.error());
  std::string held;
  for (const auto& [name, module] : *loaded) {
    if (!is_driver_module(name)) continue;
    if (module.users.empty()) return name;
    held = fmt::format("module {} is in use by {}", name, join(module.users, ", "));
  }
  if (held.empty()) return std::optional<std::string>();
  return fail(ErrorKind::busy, held, "unload those first, then apply again");
}

Result<void> unload(Host& host) {
  const auto there = daemons_of(host.view);
  for (auto daemon = there.rbegin(); daemon != there.rend(); ++daemon)
    if (auto stopped = host.units.stop(*daemon, daemon_limit); !stopped) return stopped;
  for (;;) {
    const auto module = next_to_unload(host.view.modules);
    if (!module) return std::unexpected(module.error());
    if (!*module) return {};
    if (auto unloaded = host.modules.unload(**module); !unloaded) return unloaded;
  }
}

bool is(const std::optional<DriverPackage>& found, const std::optional<DriverPackage>& wanted) {
  if (!found || !wanted) return !found && !wanted;
  return found->version == wanted->version && found->flavor == wanted->flavor;
}

std::string name_of(const std::optional<DriverPackage>& driver) {
  return driver ? fmt::format("{} ({})", driver->version, driver->flavor) : std::string("none");
}

Result<bool> is_installed(const std::optional<DriverPackage>& wanted, const HostView& host) {
  const auto found = read_installed(host);
  if (!found) return std::unexpected(found.error());
  return is(*found, wanted);
}

/// An installer may end with 0 and have installed nothing, or another version than its name says.
Result<void> install(const DriverPackage& driver, Host& host) {
  const auto command = install_command(driver, host.view.files);
  if (!command) return std::unexpected(command.error());
  if (auto ran = run_to_success(host.commands, *command); !ran) return ran;
  const auto found = read_installed(host.view);
  if (!found) return std::unexpected(found.error());
  if (is(*found, driver)) return {};
  return fail(ErrorKind::mismatch,
              fmt::format("{} ended without an error, and the driver that is installed is {}, not {}",
                          driver.source->what, name_of(*found), name_of(driver)),
              "see /var/log/nvidia-installer.log, or the log of the package tool");
}

Result<void> remove(const Means& means, Host& host) {
  const auto command = remove_command(means, host.view.files);
  if (!command) return std::unexpected(command.error());
  return run_to_success(host.commands, *command);
}

/// What the step that is undone has brought, by the means that are there now, or else by its name.
Means means_of(const std::optional<DriverPackage>& driver, const FileReader& files) {
  auto means = read_means(files, read_nvidia_packages(files));
  const bool named = driver && driver->source && driver->source->form == PackageSource::Form::package;
  if (means.by == Means::By::unknown && named) return {Means::By::packages, {driver->source->what}};
  return means;
}

/// Back to the driver before, whatever the step that failed has left of it.
Result<void> restore(const StepAction& action, Host& host) {
  const auto before = DriverPackage::from(value_in(action, "before"));
  if (!before) {
    const auto driver = DriverPackage::from(value_in(action, "driver"));
    return remove(means_of(driver, host.view.files), host);
  }
  if (before->source) return install(*before, host);
  return fail(
      ErrorKind::unsupported,
      fmt::format("driver {} was not installed by gpuhost, which does not know its source", name_of(before)),
      fmt::format("install {} again by hand", name_of(before)));
}

Result<bool> is_copied(const StepAction& action, const HostView& host) {
  const auto digest = host.files.digest(text_in(action, "to"));
  if (!digest && digest.error().kind == ErrorKind::not_found) return false;
  if (!digest) return std::unexpected(digest.error());
  return *digest == text_in(action, "sha256");
}

Result<void> copy(const StepAction& action, Host& host) {
  return host.files.copy(text_in(action, "from"), text_in(action, "to"), text_in(action, "sha256"));
}

}  // namespace

Result<bool> Driver::satisfied(const StepAction& action, const HostView& host) const {
  namespace verb = driver_verb;
  if (action.verb == forget_verb) return true;
  if (action.verb == verb::load) return is_loaded(action, host);
  if (action.verb == verb::unload) {
    const auto there = host.files.exists("/sys/module/nvidia");
    if (!there) return there;
    return !*there;
  }
  if (action.verb == verb::copy) return is_copied(action, host);
  if (action.verb == verb::discard) {
    const auto there = host.files.exists(text_in(action, "to"));
    if (!there) return there;
    return !*there;
  }
  if (action.verb == verb::install)
    return is_installed(DriverPackage::from(value_in(action, "driver")), host);
  if (action.verb == verb::remove) return is_installed(std::nullopt, host);
  if (action.verb == verb::restore)
    return is_installed(DriverPackage::from(value_in(action, "before")), host);
  return no_such_step(action);
}

/// The module can go again only while it has no GPU in use: that is as long as the run that loaded it.
Result<std::optional<Undo>> Driver::undo_of(const StepAction& action, const HostView& host) const {
  namespace verb = driver_verb;
  Undo back{action};
  if (action.verb == forget_verb) return back;
  if (action.verb == verb::load || action.verb == verb::unload) {
    const auto there = host.files.exists("/sys/module/nvidia");
    if (!there) return std::unexpected(there.error());
    back.action.verb = *there ? verb::load : verb::unload;
    return back;
  }
  if (action.verb == verb::copy) {
    back.action.verb = verb::discard;
    return back;
  }
  if (action.verb != verb::install && action.verb != verb::remove) return std::nullopt;
  const auto found = read_installed(host);
  if (!found) return std::unexpected(found.error());
  back.action.verb = verb::restore;
  // What a step before this one has removed is brought back when that is undone.
  const auto before = DriverPackage::from(value_in(action, "before"));
  if (!is(*found, before)) back.action.arguments["before"] = *found ? (**found).to_json() : Json();
  return back;
}

Result<void> Driver::run(const StepAction& action, Host& host) const {
  namespace verb = driver_verb;
  if (action.verb == forget_verb) return {};
  if (action.verb == verb::load) return load(action, host);
  if (action.verb == verb::unload) return unload(host);
  if (action.verb == verb::copy) return copy(action, host);
  if (action.verb == verb::discard) return host.files.remove(text_in(action, "to"));
  if (action.verb == verb::remove) return remove(Means::from(value_in(action, "means")), host);
  if (action.verb == verb::restore) return restore(action, host);
  const auto driver = DriverPackage::from(value_in(action, "driver"));
  if (action.verb == verb::install && driver && driver->source) return install(*driver, host);
  return no_such_step(action);
}

}  // namespace gpuhost
