#include "host/real/lazy_systemd.hpp"

#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace gpuhost {

namespace {

constexpr const char* bus_socket = "/run/dbus/system_bus_socket";

}  // namespace

LazySystemd::LazySystemd(std::string library) : library_("systemd", std::move(library)) {}

bool LazySystemd::booted() {
  return ::access("/run/systemd/system", F_OK) == 0;
}

Result<Systemd*> LazySystemd::reach() const {
  if (!booted())
    return fail(ErrorKind::unavailable, "systemd does not run here (there is no /run/systemd/system)");
  if (::access(bus_socket, F_OK) != 0)
    return fail(ErrorKind::unavailable,
                fmt::format("there is no system bus to reach systemd by ({} is missing)", bus_socket),
                "install and start dbus or dbus-broker");
  return library_.get();
}

Result<UnitState> LazySystemd::state(const std::string& unit) const {
  return with(reach(), [&](Systemd& systemd) { return systemd.state(unit); });
}

Result<void> LazySystemd::start(const std::string& unit, std::chrono::seconds limit) {
  return with(reach(), [&](Systemd& systemd) { return systemd.start(unit, limit); });
}

Result<void> LazySystemd::stop(const std::string& unit, std::chrono::seconds limit) {
  return with(reach(), [&](Systemd& systemd) { return systemd.stop(unit, limit); });
}

Result<void> LazySystemd::reload(const std::string& unit, std::chrono::seconds limit) {
  return with(reach(), [&](Systemd& systemd) { return systemd.reload(unit, limit); });
}

Result<void> LazySystemd::enable(const std::string& unit) {
  return with(reach(), [&](Systemd& systemd) { return systemd.enable(unit); });
}

Result<void> LazySystemd::disable(const std::string& unit) {
  return with(reach(), [&](Systemd& systemd) { return systemd.disable(unit); });
}

Result<CommandResult> LazySystemd::run(const Command& command) {
  return with(reach(), [&](Systemd& systemd) { return systemd.run(command); });
}

Result<void> LazySystemd::reboot() {
  return with(reach(), [](Systemd& systemd) { return systemd.reboot(); });
}

Result<void> LazySystemd::run_later(const std::string& name, const Command& command,
                                    std::chrono::seconds delay) {
  return with(reach(), [&](Systemd& systemd) { return systemd.run_later(name, command, delay); });
}

Result<void> LazySystemd::cancel_later(const std::string& name) {
  return with(reach(), [&](Systemd& systemd) { return systemd.cancel_later(name); });
}

}  // namespace gpuhost
