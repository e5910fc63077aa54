#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "host/clock.hpp"

namespace gpuhost {

/// Time of a simulated host: starts at the same moment in every run and goes on by a millisecond each time it
/// is asked for, so that equal runs show equal times. Not for several threads.
class SimClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override;
  [[nodiscard]] std::string utc_now() const override;

  /// The call that is under way keeps its caller waiting for so long.
  void take(std::chrono::nanoseconds time) { taken_ += time; }
  /// What the call that has just ended took.
  [[nodiscard]] std::chrono::nanoseconds taken() { return std::exchange(taken_, {}); }
  [[nodiscard]] std::chrono::nanoseconds now() const { return up_; }
  void advance_to(std::chrono::nanoseconds up);
  /// The host was down for a minute and has been up for ten seconds.
  void boot();

 private:
  std::chrono::nanoseconds taken_{};
  mutable std::chrono::nanoseconds up_ = std::chrono::hours{1};
  mutable std::chrono::sys_time<std::chrono::nanoseconds> now_ =
      std::chrono::sys_days{std::chrono::year{2026} / 1 / 1} + std::chrono::hours{12};
};

}  // namespace gpuhost
