#pragma once

#include <atomic>

#include "cli/exit_code.hpp"

namespace gpuhost {

/// While it lives, SIGINT and SIGTERM ask for an end at a safe point, and a second signal ends the process at
/// once; a reader of the output who goes away ends nothing. One at a time.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] const std::atomic<bool>& requested() const;
  /// Of the signal that came.
  [[nodiscard]] ExitCode exit_code() const;
};

}  // namespace gpuhost
