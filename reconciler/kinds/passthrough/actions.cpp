#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/passthrough/kind.hpp"

namespace gpuhost {

namespace {

constexpr const char* bus_directory = "/sys/bus/pci";

std::string shown(const std::string& driver) {
  return driver.empty() ? "no driver" : driver;
}

Result<std::vector<Binding>> goals_of(const StepAction& action) {
  auto goals = action.arguments.is_object() ? bindings_from(action.arguments.value("functions", Json()))
                                            : std::optional<std::vector<Binding>>{};
  if (!goals)
    return fail(ErrorKind::invalid, fmt::format("the step for {} names no functions", action.address));
  return *std::move(goals);
}

/// One PCI function, read anew each time and changed as the kernel's ABI has it. Source: Linux
/// Documentation/ABI/testing/sysfs-bus-pci, "driver_override", "unbind" and "drivers_probe".
class Function {
 public:
  Function(const FileReader& files, const PciAddress& address)
      : files_(files),
        address_(address),
        directory_(fmt::format("{}/devices/{}", bus_directory, address.to_string())) {}

  [[nodiscard]] Result<Binding> read() const {
    const auto override_text = files_.read(directory_ + "/driver_override");
    if (!override_text) return std::unexpected(override_text.error());
    const auto name = trim(*override_text);
    Binding now{.address = address_};
    if (name != "(null)") now.driver_override = name;  // how the kernel writes "none"
    const auto driver = files_.link_target(directory_ + "/driver");
    if (!driver && driver.error().kind != ErrorKind::not_found) return std::unexpected(driver.error());
    if (driver) now.driver = driver->substr(driver->rfind('/') + 1);
    return now;
  }

  Result<void> override_driver(const std::string& driver, FileWriter& writer) const {
    // A lone newline clears it: an empty write does not reach the kernel.
    if (auto written =
            writer.write_attribute(directory_ + "/driver_override", driver.empty() ? "\n" : driver);
        !written)
      return written;
    const auto now = read();
    if (!now) return std::unexpected(now.error());
    if (now->driver_override == driver) return {};
    return fail(ErrorKind::mismatch, fmt::format("driver_override of {} was set to '{}' and reads '{}'",
                                                 address_.to_string(), driver, now->driver_override));
  }

  Result<void> unbind(const std::string& driver, FileWriter& writer) const {
    const auto path = fmt::format("{}/drivers/{}/unbind", bus_directory, driver);
    if (auto written = writer.write_attribute(path, address_.to_string()); !written) return written;
    const auto now = read();
    if (!now) return std::unexpected(now.error());
    if (now->driver.empty()) return {};
    return fail(ErrorKind::mismatch, fmt::format("{} was unbound from {} and is bound to {}",
                                                 address_.to_string(), driver, now->driver));
  }

  Result<void> probe(const std::string& wanted, FileWriter& writer) const {
    const auto path = fmt::format("{}/drivers_probe", bus_directory);
    if (auto written = writer.write_attribute(path, address_.to_string()); !written)
      return std::unexpected(std::move(written).error().within(
          fmt::format("driver {} refused {}", wanted, address_.to_string())));
    const auto now = read();
    if (!now) return std::unexpected(now.error());
    if (now->driver == wanted) return {};
    return fail(ErrorKind::mismatch,
                fmt::format("driver {} refused {}, which has {} now", wanted, address_.to_string(),
                            shown(now->driver)),
                fmt::format("see the kernel log for {} and {}", wanted, address_.to_string()));
  }

 private:
  const FileReader& files_;
  PciAddress address_;
  std::string directory_;
};

/// Only the driver that shall have it may bind it while it is probed; then the override is as it shall stay.
Result<void> bring_to(const Binding& goal, Host& host) {
  const Function function(host.view.files, goal.address);
  const auto now = function.read();
  if (!now) return std::unexpected(now.error());
  if (agrees(*now, goal)) return {};
  if (now->driver != goal.driver) {
    const auto& pinned = goal.driver.empty() ? goal.driver_override : goal.driver;
    if (auto set = function.override_driver(pinned, host.files); !set) return set;
    if (!now->driver.empty())
      if (auto freed = function.unbind(now->driver, host.files); !freed) return freed;
    if (!goal.driver.empty())
      if (auto bound = function.probe(goal.driver, host.files); !bound) return bound;
    if (pinned == goal.driver_override) return {};
  }
  return function.override_driver(goal.driver_override, host.files);
}

/// Unbinding what is in use blocks for ever, without a way to end it; somebody may have come since it was
/// planned.
Result<void> check_goals_unused(const std::vector<Binding>& goals, const HostView& host) {
  const auto inventory = inventory_of(host);
  if (!*inventory) return std::unexpected(inventory->error());
  for (const auto& goal : goals) {
    const auto* gpu = (**inventory).owner_of(goal.address);
    if (gpu == nullptr) continue;
    if (auto unused = check_unused(*gpu, host); !unused) return unused;
    if (const auto pid = sound_user(host.files, goal.address))
      return fail(ErrorKind::busy,
                  fmt::format("sound function {} has come into use by the process with pid {}",
                              goal.address.to_string(), *pid),
                  "end it, then plan again");
  }
  return {};
}

}  // namespace

Result<bool> Passthrough::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto goals = goals_of(action);
  if (!goals) return std::unexpected(goals.error());
  for (const auto& goal : *goals) {
    const auto now = Function(host.files, goal.address).read();
    if (!now) return std::unexpected(now.error());
    if (!agrees(*now, goal)) return false;
  }
  return true;
}

Result<std::optional<Undo>> Passthrough::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto goals = goals_of(action);
  if (!goals) return std::unexpected(goals.error());
  std::vector<Binding> now;
  for (const auto& goal : *goals) {
    auto binding = Function(host.files, goal.address).read();
    if (!binding) return std::unexpected(binding.error());
    now.push_back(*std::move(binding));
  }
  back.action.arguments["functions"] = json_of(now);
  return back;
}

Result<void> Passthrough::run(const StepAction& action, Host& host) const {
  if (action.verb != "bind")
    return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
  const auto goals = goals_of(action);
  if (!goals) return std::unexpected(goals.error());
  if (auto unused = check_goals_unused(*goals, host.view); !unused) return unused;
  for (const auto& goal : *goals)
    if (auto bound = bring_to(goal, host); !bound) return bound;
  return {};
}

}  // namespace gpuhost
