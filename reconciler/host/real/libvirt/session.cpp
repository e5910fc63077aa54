#include "host/real/libvirt/session.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include "base/text.hpp"
#include "host/real/libvirt/event_loop.hpp"

namespace gpuhost {

namespace {

// Half a minute without an answer, and the daemon counts as gone.
constexpr int keepalive_seconds = 5;
constexpr unsigned keepalive_count = 5;

struct KnownError {
  int code;
  ErrorKind kind;
  std::string_view advice;
};

// Source: https://libvirt.org/html/libvirt-virterror.html, virErrorNumber.
constexpr std::array known_errors{
    KnownError{VIR_ERR_NO_DOMAIN, ErrorKind::not_found, ""},
    KnownError{VIR_ERR_DEVICE_MISSING, ErrorKind::not_found, ""},
    KnownError{VIR_ERR_AUTH_FAILED, ErrorKind::denied, "run as root"},
    KnownError{VIR_ERR_AUTH_CANCELLED, ErrorKind::denied, "run as root"},
    KnownError{VIR_ERR_AUTH_UNAVAILABLE, ErrorKind::denied, "run as root"},
    KnownError{VIR_ERR_ACCESS_DENIED, ErrorKind::denied, "see libvirt's access rules (polkit)"},
    KnownError{VIR_ERR_OPERATION_DENIED, ErrorKind::denied, ""},
    KnownError{VIR_ERR_INVALID_ARG, ErrorKind::invalid, ""},
    KnownError{VIR_ERR_NO_NAME, ErrorKind::invalid, ""},
    KnownError{VIR_ERR_OS_TYPE, ErrorKind::invalid, ""},
    KnownError{VIR_ERR_XML_ERROR, ErrorKind::invalid, ""},
    KnownError{VIR_ERR_XML_DETAIL, ErrorKind::invalid, ""},
    KnownError{VIR_ERR_XML_INVALID_SCHEMA, ErrorKind::invalid, ""},
    KnownError{VIR_ERR_NO_SUPPORT, ErrorKind::unsupported, ""},
    KnownError{VIR_ERR_CONFIG_UNSUPPORTED, ErrorKind::unsupported, ""},
    KnownError{VIR_ERR_ARGUMENT_UNSUPPORTED, ErrorKind::unsupported, ""},
    KnownError{VIR_ERR_OPERATION_UNSUPPORTED, ErrorKind::unsupported, ""},
    // Such as a device that another domain has, or a domain that is just starting.
    KnownError{VIR_ERR_OPERATION_INVALID, ErrorKind::busy, ""},
    KnownError{VIR_ERR_RESOURCE_BUSY, ErrorKind::busy, ""},
    KnownError{VIR_ERR_OPERATION_TIMEOUT, ErrorKind::timed_out, ""},
    KnownError{VIR_ERR_AGENT_UNRESPONSIVE, ErrorKind::timed_out, ""},
    KnownError{VIR_ERR_NO_CONNECT, ErrorKind::unavailable, "see whether libvirt's daemon runs"},
    KnownError{VIR_ERR_RPC, ErrorKind::unavailable, "see whether libvirt's daemon runs"},
};

/// What a failed system call is: int1 holds errno.
ErrorKind kind_of_system_error(const virError& error) {
  if (error.int1 == EACCES || error.int1 == EPERM) return ErrorKind::denied;
  if (error.int1 == EBUSY) return ErrorKind::busy;
  // The call was one on the daemon's socket.
  return error.domain == VIR_FROM_RPC ? ErrorKind::unavailable : ErrorKind::io;
}

/// QEMU's complaints come with all their lines.
std::string one_line(std::string_view text) {
  std::string joined;
  for (const auto line : lines(text)) {
    if (trim(line).empty()) continue;
    if (!joined.empty()) joined += "; ";
    joined += trim(line);
  }
  return joined;
}

}  // namespace

Error libvirt_error(const std::string& action, const std::string& object) {
  const auto* const error = virGetLastError();
  const bool told = error != nullptr && error->message != nullptr;
  const auto reason = told ? one_line(error->message) : std::string("libvirt gives no reason");
  Error made{ErrorKind::io, fmt::format("cannot {} {}: {}", action, object, reason), {}};
  if (error == nullptr) return made;
  const auto known = std::ranges::find(known_errors, error->code, &KnownError::code);
  if (known != known_errors.end()) {
    made.kind = known->kind;
    made.advice = known->advice;
  } else if (error->code == VIR_ERR_SYSTEM_ERROR) {
    made.kind = kind_of_system_error(*error);
    if (made.kind == ErrorKind::denied) made.advice = "run as root";
  }
  return made;
}

Result<LibvirtSession> LibvirtSession::open(const std::string& uri, Access access) {
  run_event_loop();
  Connection connection(access == Access::read ? virConnectOpenReadOnly(uri.c_str())
                                               : virConnectOpen(uri.c_str()));
  if (!connection) return std::unexpected(libvirt_error("connect to", "libvirt at " + uri));
  // Drivers that run in our own process have none and need none.
  (void)virConnectSetKeepAlive(connection.get(), keepalive_seconds, keepalive_count);
  return LibvirtSession(std::move(connection));
}

Result<DomainHandle> LibvirtSession::domain(const std::string& name) const {
  DomainHandle found(virDomainLookupByName(connection_.get(), name.c_str()));
  if (!found) return std::unexpected(libvirt_error("find", "domain " + name));
  return found;
}

}  // namespace gpuhost
