#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/result.hpp"

namespace gpuhost {

/// What a look at the host yielded: a value, its certain absence, or *unknown* with the reason.
/// Unknown is never the same as absent, never causes a change, and is never in sync.
template <class T>
class Observed {
 public:
  struct Absent {
    bool operator==(const Absent&) const = default;
  };
  struct Unknown {
    std::string reason;
    bool operator==(const Unknown&) const = default;
  };

  Observed() = default;
  Observed(T value)
      : what_(std::in_place_type<T>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] static Observed absent() { return Observed{}; }
  [[nodiscard]] static Observed unknown(std::string reason) {
    Observed made;
    made.what_.template emplace<Unknown>(std::move(reason));
    return made;
  }
  /// not_found is absence; every other error is unknown.
  [[nodiscard]] static Observed from(Result<T> result) {
    if (result) return Observed(std::move(*result));
    if (result.error().kind == ErrorKind::not_found) return absent();
    return unknown(std::move(result.error().message));
  }

  [[nodiscard]] bool has_value() const noexcept { return std::holds_alternative<T>(what_); }
  [[nodiscard]] bool is_absent() const noexcept { return std::holds_alternative<Absent>(what_); }
  [[nodiscard]] bool is_unknown() const noexcept { return std::holds_alternative<Unknown>(what_); }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const T& operator*() const { return std::get<T>(what_); }
  [[nodiscard]] const T* operator->() const { return &std::get<T>(what_); }
  /// Precondition: is_unknown().
  [[nodiscard]] const std::string& reason() const { return std::get<Unknown>(what_).reason; }
  bool operator==(const Observed&) const = default;

 private:
  std::variant<Absent, T, Unknown> what_;
};

}  // namespace gpuhost
