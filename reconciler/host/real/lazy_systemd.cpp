#include "host/real/lazy_systemd.hpp"

#include <cerrno>
#include <climits>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

namespace gpuhost {

namespace {

constexpr const char* bus_socket = "/run/dbus/system_bus_socket";

/// Calls `ask` on the adapter, if there is one.
template <class Ask>
auto with(const Result<Systemd*>& adapter, Ask ask) -> decltype(ask(**adapter)) {
  if (!adapter) return std::unexpected(adapter.error());
  return ask(**adapter);
}

}  // namespace

LazySystemd::LazySystemd(std::string library) : library_(std::move(library)) {}

std::string LazySystemd::installed_library() {
  std::string program(PATH_MAX, '\0');
  const auto length = ::readlink("/proc/self/exe", program.data(), program.size());
  program.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  const auto slash = program.rfind('/');
  return program.substr(0, slash == std::string::npos ? 0 : slash) + "/../lib/gpuhost/libgpuhost-systemd.so";
}

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
  std::call_once(loaded_, [this] { adapter_ = load(); });
  if (!adapter_) return std::unexpected(adapter_.error());
  return adapter_->get();
}

Result<std::unique_ptr<Systemd>> LazySystemd::load() const {
  // Never closed: the adapter's code lives as long as the process.
  void* const handle = ::dlopen(library_.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const factory = handle != nullptr ? ::dlsym(handle, systemd_factory_name) : nullptr;
  if (factory == nullptr)
    return fail(ErrorKind::unavailable, fmt::format("cannot load the systemd adapter: {}", ::dlerror()),
                "install gpuhost completely: the library belongs beside the program");
  std::unique_ptr<Systemd> made(reinterpret_cast<SystemdFactory>(factory)());
  if (!made)
    return fail(ErrorKind::unavailable, fmt::format("cannot start the systemd adapter of {}", library_));
  return made;
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

}  // namespace gpuhost
