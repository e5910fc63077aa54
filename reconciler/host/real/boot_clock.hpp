#pragma once

#include "host/clock.hpp"

namespace gpuhost {

/// The clocks of the running kernel.
class BootClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override;
  [[nodiscard]] std::string utc_now() const override;
};

}  // namespace gpuhost
