#include "cli/run_guard.hpp"

#include <fmt/format.h>
#include <unistd.h>

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

ExitCode report_lock(const Error& error, const Options& options) {
  const bool unreadable = !options.host_file.empty() && error.kind != ErrorKind::busy;
  return unreadable ? report(error, ExitCode::invalid_document) : report(error);
}

Result<void> check_may_change(const Options& options) {
  if (!options.live() || ::geteuid() == 0) return {};
  return fail(ErrorKind::denied, fmt::format("cannot {} on this host: only root may", options.verb),
              "run it as root");
}

}  // namespace gpuhost
