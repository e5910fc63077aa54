#include "host/real/systemd/session.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <poll.h>

namespace gpuhost {

namespace {

constexpr const char* systemd_service = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";

struct KnownError {
  std::string_view name;
  ErrorKind kind;
  std::string_view advice;
};

// Source: dbus specification, "Standard error names"; systemd's src/libsystemd/sd-bus/bus-common-errors.h.
constexpr std::array known_errors{
    KnownError{"org.freedesktop.systemd1.NoSuchUnit", ErrorKind::not_found, ""},
    KnownError{"org.freedesktop.systemd1.NoSuchUnitFile", ErrorKind::not_found, ""},
    KnownError{"org.freedesktop.DBus.Error.FileNotFound", ErrorKind::not_found, ""},
    KnownError{"System.Error.ENOENT", ErrorKind::not_found, ""},
    KnownError{"org.freedesktop.systemd1.UnitMasked", ErrorKind::unsupported,
               "systemctl unmask it if it shall run"},
    KnownError{"org.freedesktop.systemd1.OnlyByDependency", ErrorKind::unsupported,
               "the unit file forbids it (RefuseManualStart, RefuseManualStop)"},
    KnownError{"org.freedesktop.systemd1.JobTypeNotApplicable", ErrorKind::unsupported,
               "the unit has no such operation"},
    KnownError{"org.freedesktop.DBus.Error.InvalidArgs", ErrorKind::invalid, ""},
    KnownError{"org.freedesktop.DBus.Error.AccessDenied", ErrorKind::denied, "run as root"},
    KnownError{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", ErrorKind::denied,
               "run as root"},
    KnownError{"System.Error.EACCES", ErrorKind::denied, "run as root"},
    KnownError{"System.Error.EPERM", ErrorKind::denied, "run as root"},
    KnownError{"org.freedesktop.DBus.Error.NoReply", ErrorKind::timed_out, ""},
    KnownError{"org.freedesktop.DBus.Error.Timeout", ErrorKind::timed_out, ""},
    KnownError{"System.Error.ETIMEDOUT", ErrorKind::timed_out, ""},
    KnownError{"org.freedesktop.DBus.Error.ServiceUnknown", ErrorKind::unavailable, ""},
    KnownError{"org.freedesktop.DBus.Error.NameHasNoOwner", ErrorKind::unavailable, ""},
    KnownError{"org.freedesktop.DBus.Error.Disconnected", ErrorKind::unavailable, ""},
    KnownError{"org.freedesktop.systemd1.ShuttingDown", ErrorKind::unavailable, ""},
    KnownError{"System.Error.ECONNREFUSED", ErrorKind::unavailable, "see whether dbus.service runs"},
    KnownError{"System.Error.ECONNRESET", ErrorKind::unavailable, ""},
    KnownError{"System.Error.ENOTCONN", ErrorKind::unavailable, ""},
};

}  // namespace

Error bus_error(const sdbus::Error& error, const std::string& action, const std::string& object) {
  const auto known = std::ranges::find(known_errors, error.getName(), &KnownError::name);
  const auto reason = error.getMessage().empty() ? error.getName() : error.getMessage();
  Error made{ErrorKind::io, fmt::format("cannot {} {}: {}", action, object, reason), {}};
  if (known != known_errors.end()) {
    made.kind = known->kind;
    made.advice = known->advice;
  }
  return made;
}

Session::Session()
    : connection_(sdbus::createSystemBusConnection()),
      manager_(sdbus::createProxy(*connection_, systemd_service, manager_path)) {}

sdbus::MethodInvoker Session::call(const std::string& method) {
  auto invoker = manager_->callMethod(method);
  invoker.onInterface(manager_interface);
  return invoker;
}

std::unique_ptr<sdbus::IProxy> Session::object(const std::string& service, const std::string& path) {
  return sdbus::createProxy(*connection_, service, path);
}

std::unique_ptr<sdbus::IProxy> Session::unit(const sdbus::ObjectPath& path) {
  return object(systemd_service, path);
}

void Session::watch_jobs() {
  manager_->uponSignal("JobRemoved")
      .onInterface(manager_interface)
      .call([this](const std::uint32_t&, const sdbus::ObjectPath& job, const std::string&,
                   const std::string& result) { ended_jobs_.insert_or_assign(job, result); });
  manager_->finishRegistration();
  call("Subscribe").dontExpectReply();
}

std::optional<std::string> Session::await_job(const sdbus::ObjectPath& job, const Deadline& deadline) {
  for (;;) {
    while (connection_->processPendingRequest()) {
    }
    if (const auto ended = ended_jobs_.find(job); ended != ended_jobs_.end()) return ended->second;
    if (deadline.passed()) return std::nullopt;
    const auto bus = connection_->getEventLoopPollData();
    std::array<pollfd, 2> waiting{{{bus.fd, bus.events, 0}, {deadline.fd(), POLLIN, 0}}};
    ::poll(waiting.data(), waiting.size(), bus.getPollTimeout());
  }
}

}  // namespace gpuhost
