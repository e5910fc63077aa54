#include "cli/run_guard.hpp"

namespace gpuhost {

namespace {

constexpr const char* lock_path = "/run/gpuhost/lock";

}  // namespace

std::string run_lock_path(const Options& options) {
  std::string root = options.root;
  while (root.ends_with('/')) root.pop_back();
  return root + lock_path;
}

Result<std::optional<RunLock>> take_run_lock(const Options& options) {
  const bool simulated = !options.host_file.empty();
  if (simulated && !options.host_out.empty()) return std::optional<RunLock>{};
  auto lock = simulated ? RunLock::take_existing(options.host_file) : RunLock::take(run_lock_path(options));
  if (!lock) return fail(std::move(lock));
  return std::optional(std::move(*lock));
}

}  // namespace gpuhost
