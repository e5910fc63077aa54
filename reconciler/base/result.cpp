#include "base/result.hpp"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace gpuhost {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::denied:
      return "denied";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::timed_out:
      return "timed_out";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::mismatch:
      return "mismatch";
    case ErrorKind::stale:
      return "stale";
    case ErrorKind::io:
      return "io";
  }
  std::unreachable();
}

bool Error::retryable() const noexcept {
  return kind == ErrorKind::busy || kind == ErrorKind::timed_out || kind == ErrorKind::unavailable;
}

Error Error::within(std::string_view context) && {
  message = fmt::format("{}: {}", context, message);
  return std::move(*this);
}

std::string Error::sentence() const {
  return advice.empty() ? message : fmt::format("{}; {}", message, advice);
}

namespace {

ErrorKind kind_of(int code) {
  switch (code) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ENOTDIR:
      return ErrorKind::not_found;
    case EACCES:
    case EPERM:
      return ErrorKind::denied;
    case EROFS:
      return ErrorKind::denied;
    case EBUSY:
    case EAGAIN:
    case ETXTBSY:
      return ErrorKind::busy;
    case ETIMEDOUT:
      return ErrorKind::timed_out;
    case EINVAL:
      return ErrorKind::invalid;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorKind::unsupported;
    default:
      return ErrorKind::io;
  }
}

}  // namespace

Error system_error(int code, std::string_view action, std::string_view object) {
  return Error{kind_of(code),
               fmt::format("cannot {} {}: {}", action, object, std::generic_category().message(code)),
               {}};
}

}  // namespace gpuhost
