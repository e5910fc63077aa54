#include "host/sim/sim_clock.hpp"

#include <fmt/core.h>

namespace gpuhost {

namespace {
using namespace std::chrono_literals;
}

std::chrono::nanoseconds SimClock::since_boot() const {
  up_ += 1ms;
  now_ += 1ms;
  return up_;
}

std::string SimClock::utc_now() const {
  static_cast<void>(since_boot());
  const auto day = std::chrono::floor<std::chrono::days>(now_);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(now_ - day)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

void SimClock::advance_to(std::chrono::nanoseconds up) {
  if (up <= up_) return;
  now_ += up - up_;
  up_ = up;
}

void SimClock::boot() {
  now_ += 70s;
  up_ = 10s;
}

}  // namespace gpuhost
