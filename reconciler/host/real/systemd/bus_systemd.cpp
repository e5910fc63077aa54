#include "host/real/systemd/bus_systemd.hpp"

#include <vector>

#include <fmt/format.h>

#include "host/real/systemd/delayed_service.hpp"
#include "host/real/systemd/session.hpp"
#include "host/real/systemd/transient_service.hpp"

namespace gpuhost {

namespace {

// Generators and many unit files make systemd slow here; sd-bus would give up after 25 s.
constexpr std::chrono::seconds reload_limit{90};

/// As ListUnitsByNames gives it: name, description, load, active and sub state, followed unit, path, job.
using ListedUnit = sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string,
                                 sdbus::ObjectPath, std::uint32_t, std::string, sdbus::ObjectPath>;
using UnitFileChange = sdbus::Struct<std::string, std::string, std::string>;

Result<UnitState> read_state(Session& session, const std::string& unit) {
  std::vector<ListedUnit> listed;
  session.call("ListUnitsByNames").withArguments(std::vector{unit}).storeResultsTo(listed);
  // Only names that no unit can have are left out of the answer.
  if (listed.empty()) return fail(ErrorKind::invalid, fmt::format("'{}' is not the name of a unit", unit));
  const auto& found = listed.front();
  const auto file_state =
      session.unit(found.get<6>())->getProperty("UnitFileState").onInterface(unit_interface);
  return UnitState{found.get<2>(), found.get<3>(), found.get<4>(), file_state.get<std::string>()};
}

/// For an error message.
std::string describe(const Result<UnitState>& state) {
  if (!state) return "its state cannot be read";
  return fmt::format("it is {} ({})", state->active_state, state->sub_state);
}

void reload_unit_files(Session& session) {
  session.call("Reload").withTimeout(reload_limit);
}

}  // namespace

Result<UnitState> BusSystemd::state(const std::string& unit) const {
  return guarded("read the state of unit", unit, [&] {
    Session session;
    return read_state(session, unit);
  });
}

Result<void> BusSystemd::run_job(const char* action, const char* method, const std::string& unit,
                                 std::chrono::seconds limit) {
  return guarded(fmt::format("{} unit", action), unit, [&]() -> Result<void> {
    Session session;
    session.watch_jobs();
    const Deadline deadline(limit);
    sdbus::ObjectPath job;
    session.call(method).withArguments(unit, std::string("replace")).storeResultsTo(job);
    const auto result = session.await_job(job, deadline);
    if (result == "done") return {};
    const auto now = describe(read_state(session, unit));
    if (!result)
      return fail(ErrorKind::timed_out,
                  fmt::format("cannot {} unit {} within {} s: {}", action, unit, limit.count(), now),
                  fmt::format("systemd goes on with it; see 'systemctl status {}'", unit));
    return fail(ErrorKind::io,
                fmt::format("cannot {} unit {}: its job ended as '{}', {}", action, unit, *result, now),
                fmt::format("see 'journalctl -b -u {}'", unit));
  });
}

Result<void> BusSystemd::start(const std::string& unit, std::chrono::seconds limit) {
  return run_job("start", "StartUnit", unit, limit);
}

Result<void> BusSystemd::stop(const std::string& unit, std::chrono::seconds limit) {
  return run_job("stop", "StopUnit", unit, limit);
}

Result<void> BusSystemd::reload(const std::string& unit, std::chrono::seconds limit) {
  return run_job("reload", "ReloadUnit", unit, limit);
}

Result<void> BusSystemd::enable(const std::string& unit) {
  return guarded("enable unit", unit, [&]() -> Result<void> {
    Session session;
    bool installable = false;
    std::vector<UnitFileChange> changes;
    session.call("EnableUnitFiles")
        .withArguments(std::vector{unit}, false, false)
        .storeResultsTo(installable, changes);
    if (!installable)
      return fail(ErrorKind::unsupported,
                  fmt::format("cannot enable unit {}: its file has no [Install] section", unit),
                  "it is started by other units only; leave `enabled` out");
    reload_unit_files(session);
    return {};
  });
}

Result<void> BusSystemd::disable(const std::string& unit) {
  return guarded("disable unit", unit, [&]() -> Result<void> {
    Session session;
    std::vector<UnitFileChange> changes;
    session.call("DisableUnitFiles").withArguments(std::vector{unit}, false).storeResultsTo(changes);
    reload_unit_files(session);
    return {};
  });
}

Result<CommandResult> BusSystemd::run(const Command& command) {
  return guarded("run", command.argv.front(), [&]() -> Result<CommandResult> {
    Session session;
    return run_as_service(session, command);
  });
}

Result<void> BusSystemd::run_later(const std::string& name, const Command& command,
                                   std::chrono::seconds delay) {
  return guarded("put off", command.argv.front(), [&]() -> Result<void> {
    Session session;
    session.watch_jobs();
    if (auto cancelled = cancel_delayed(session, name); !cancelled) return cancelled;
    return start_delayed(session, name, command, delay);
  });
}

Result<void> BusSystemd::cancel_later(const std::string& name) {
  return guarded("stop unit", name + ".timer", [&]() -> Result<void> {
    Session session;
    session.watch_jobs();
    return cancel_delayed(session, name);
  });
}

Result<void> BusSystemd::reboot() {
  return guarded("reboot", "the host", [&]() -> Result<void> {
    Session session;
    const std::string logind = "org.freedesktop.login1";
    bool runs = false;
    session.object("org.freedesktop.DBus", "/org/freedesktop/DBus")
        ->callMethod("NameHasOwner")
        .onInterface("org.freedesktop.DBus")
        .withArguments(logind)
        .storeResultsTo(runs);
    if (runs) {
      session.object(logind, "/org/freedesktop/login1")
          ->callMethod("Reboot")
          .onInterface("org.freedesktop.login1.Manager")
          .withArguments(false);
      return {};
    }
    sdbus::ObjectPath job;
    session.call("StartUnit")
        .withArguments(std::string("reboot.target"), std::string("replace-irreversibly"))
        .storeResultsTo(job);
    return {};
  });
}

}  // namespace gpuhost
