#pragma once

#include <optional>

#include "base/unique_fd.hpp"
#include "cli/options.hpp"
#include "engine/run_lock.hpp"

namespace gpuhost {

/// Where the run lock of the live machine or of a --root directory lies.
[[nodiscard]] std::string run_lock_path(const Options& options);

/// Keeps a second run away from what this one changes: the live machine or directory by its run lock, a host
/// file by a lock on the file itself. Nothing is locked when a simulated host is written elsewhere.
class RunGuard {
 public:
  /// busy: somebody else holds it, named in the message. Never waits.
  [[nodiscard]] static Result<RunGuard> take(const Options& options);

 private:
  RunGuard() = default;
  std::optional<RunLock> lock_;
  UniqueFd host_file_;
};

}  // namespace gpuhost
