#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"

namespace gpuhost {

/// A systemd unit, in systemd's own words (org.freedesktop.systemd1.Unit).
struct UnitState {
  std::string load_state;       ///< loaded, not-found, masked, bad-setting …
  std::string active_state;     ///< active, inactive, failed, activating …
  std::string sub_state;        ///< running, exited, dead …
  std::string unit_file_state;  ///< enabled, disabled, static, masked, generated …; empty if there is no file
  bool operator==(const UnitState&) const = default;

  /// Down and staying down: not while it is on its way up or down, as a service is that systemd restarts.
  [[nodiscard]] bool is_inactive() const { return active_state == "inactive" || active_state == "failed"; }
};

/// systemd's units. unavailable: there is no systemd or no system bus; that is unknown, not absent.
/// Safe to call from several threads.
class UnitReader {
 public:
  virtual ~UnitReader() = default;
  /// A unit without file yields load_state "not-found", not an error.
  [[nodiscard]] virtual Result<UnitState> state(const std::string& unit) const = 0;
};

/// Every call waits for the end of the systemd job (JobRemoved) or the deadline, whichever is first; a job
/// that ends other than "done" is an error with its result and the unit's state.
class UnitWriter {
 public:
  virtual ~UnitWriter() = default;
  virtual Result<void> start(const std::string& unit, std::chrono::seconds limit) = 0;
  virtual Result<void> stop(const std::string& unit, std::chrono::seconds limit) = 0;
  virtual Result<void> reload(const std::string& unit, std::chrono::seconds limit) = 0;
  /// Changes what the next boot starts, then lets systemd read its unit files again. Starts and stops
  /// nothing.
  virtual Result<void> enable(const std::string& unit) = 0;
  virtual Result<void> disable(const std::string& unit) = 0;
};

}  // namespace gpuhost
