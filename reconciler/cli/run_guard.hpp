#pragma once

#include <optional>
#include <string>

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "engine/run_lock.hpp"

namespace gpuhost {

/// Where the run lock of the live machine or of a --root directory lies.
[[nodiscard]] std::string run_lock_path(const Options& options);

/// Keeps a second run away from what this one changes: the live machine or directory by its lock file, a host
/// file by a lock on itself. Nothing is locked when a simulated host is written elsewhere. busy: the message
/// names the holder.
[[nodiscard]] Result<std::optional<RunLock>> take_run_lock(const Options& options);
/// Reports why the lock was not taken. A host file that cannot be opened is as unreadable as for every other
/// verb.
ExitCode report_lock(const Error& error, const Options& options);

/// denied: only root may change the live machine.
[[nodiscard]] Result<void> check_may_change(const Options& options);

}  // namespace gpuhost
