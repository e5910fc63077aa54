#pragma once

#include <chrono>
#include <functional>

namespace gpuhost {

/// Waits for what the kernel or a driver does by itself, as it does after virtual functions were enabled.
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// Asks `done` at once, and again after each of the kernel's device events (uevents), until it says yes or
  /// the limit has passed; its last answer.
  virtual bool until(const std::function<bool()>& done, std::chrono::seconds limit) = 0;
};

}  // namespace gpuhost
