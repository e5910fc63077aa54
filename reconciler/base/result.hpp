#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace gpuhost {

/// What sort of failure it was; decides the exit code and whether trying again can help.
enum class ErrorKind {
  invalid,      ///< the input is wrong
  not_found,    ///< the object does not exist (observation: absent, not unknown)
  unsupported,  ///< this host or this version cannot do it
  denied,       ///< permission
  busy,         ///< somebody uses it
  timed_out,    ///< the deadline passed
  unavailable,  ///< a needed service cannot be reached
  mismatch,     ///< written, but read back otherwise
  stale,        ///< the host or the file is not the one that was planned for
  io,           ///< the system call failed for another reason
};

[[nodiscard]] std::string_view to_string(ErrorKind kind);

/// An expected failure, as a value. `message` is one lower-case phrase that says what failed, on which
/// object, and why; `advice` says what to do about it and may be empty.
struct Error {
  ErrorKind kind = ErrorKind::io;
  std::string message;
  std::string advice = {};

  /// True when the same call may succeed later without anybody changing anything.
  [[nodiscard]] bool retryable() const noexcept;
  /// The same error with what the caller was doing put before the message.
  [[nodiscard]] Error within(std::string_view context) &&;
  /// Message and advice.
  [[nodiscard]] std::string sentence() const;
  bool operator==(const Error&) const = default;
};

/// A value or an Error. Derived from std::expected because that type is not nodiscard in C++23.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string message,
                                                 std::string advice = {}) {
  return std::unexpected(Error{kind, std::move(message), std::move(advice)});
}

/// Passes the error of one result on as the error of another.
template <class T>
[[nodiscard]] std::unexpected<Error> fail(Result<T>&& result) {
  return std::unexpected(std::move(result).error());
}

/// Error from errno-style `code`: "cannot <action> <object>: <reason>".
[[nodiscard]] Error system_error(int code, std::string_view action, std::string_view object);

}  // namespace gpuhost
