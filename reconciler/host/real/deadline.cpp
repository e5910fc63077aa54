#include "host/real/deadline.hpp"

#include <algorithm>

#include <poll.h>
#include <sys/timerfd.h>

namespace gpuhost {

Deadline::Deadline(std::chrono::nanoseconds from_now)
    : timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  // A timer set to zero would be disarmed.
  const auto wait = std::max(from_now, std::chrono::nanoseconds(1));
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const itimerspec when{{}, {whole.count(), (wait - whole).count()}};
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

bool Deadline::passed() const noexcept {
  if (!timer_) return true;
  pollfd waiting{timer_.get(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

}  // namespace gpuhost
