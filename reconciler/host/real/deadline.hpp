#pragma once

#include <chrono>

#include "base/unique_fd.hpp"

namespace gpuhost {

/// A moment on CLOCK_BOOTTIME, so that time asleep counts, as a descriptor to poll.
class Deadline {
 public:
  explicit Deadline(std::chrono::nanoseconds from_now);

  /// Readable from the moment on. -1 if the kernel gave no timer; the deadline then counts as passed.
  [[nodiscard]] int fd() const noexcept { return timer_.get(); }
  [[nodiscard]] bool passed() const noexcept;

 private:
  UniqueFd timer_;
};

}  // namespace gpuhost
