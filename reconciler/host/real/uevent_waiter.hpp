#pragma once

#include "host/waiter.hpp"

namespace gpuhost {

/// Waits on the kernel's own device events. What changes without one is seen a moment later, as it is where
/// events may not be heard.
class UeventWaiter final : public Waiter {
 public:
  bool until(const std::function<bool()>& done, std::chrono::seconds limit) override;
};

}  // namespace gpuhost
