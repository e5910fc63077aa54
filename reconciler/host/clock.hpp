#pragma once

#include <chrono>
#include <string>

namespace gpuhost {

/// Time of the host. A simulated clock jumps.
class Clock {
 public:
  virtual ~Clock() = default;
  /// CLOCK_BOOTTIME: for deadlines, goes on while the host sleeps.
  [[nodiscard]] virtual std::chrono::nanoseconds since_boot() const = 0;
  /// RFC 3339 in UTC with seconds: "2026-01-31T12:00:00Z".
  [[nodiscard]] virtual std::string utc_now() const = 0;
};

}  // namespace gpuhost
