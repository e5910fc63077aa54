#pragma once

#include <string>

#include "base/json.hpp"
#include "engine/reconcile.hpp"
#include "engine/recover.hpp"

namespace gpuhost {

/// Puts how far a run has come into /run/gpuhost/status.json.
Result<void> record_progress(const Json& status, Host& host);

/// Puts the outcome of a run into /run/gpuhost/status.json, and asks for a reboot in /run/reboot-required if
/// one is needed. A run that had nothing to do and tells nothing new writes nothing.
Result<void> record_run(const RunReport& report, Host& host);

/// The same after an interrupted run was ended.
Result<void> record_recovery(const RecoverReport& report, Host& host);

/// The same when a trial was confirmed.
Result<void> record_confirmation(Host& host);

/// What the last run since boot left. Null: there was none. stale: a newer gpuhost wrote it.
[[nodiscard]] Result<Json> read_status(const FileReader& files);

}  // namespace gpuhost
