#include "host/real/boot_clock.hpp"

#include <ctime>

#include <fmt/chrono.h>

namespace gpuhost {

std::chrono::nanoseconds BootClock::since_boot() const {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::string BootClock::utc_now() const {
  const auto now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

}  // namespace gpuhost
