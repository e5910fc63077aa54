#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "engine/reconcile.hpp"
#include "engine/recover.hpp"
#include "engine/run_lock.hpp"
#include "engine/trial.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// The end of a run for people: what holds, what went wrong, what is left, and what to do.
[[nodiscard]] std::string run_text(const RunReport& report, const Style& style);

/// The end of an interrupted run for people: what holds, what went wrong, and what to do.
[[nodiscard]] std::string recovery_text(const RecoverReport& report, const Style& style);
[[nodiscard]] Json recovery_json(const RecoverReport& report);

/// {required, reasons}: the reasons name what only a reboot makes true.
[[nodiscard]] Json reboot_json(const Plan& plan);
[[nodiscard]] Json error_json(const Error& error);

/// How far a run has come.
struct RunProgress {
  std::string verb;
  std::string document;
  std::string started;  ///< RFC 3339 UTC
  std::size_t done = 0;
  std::size_t steps = 0;                   ///< of the round, with those that are done
  std::map<std::string, std::string> now;  ///< steps under way: address to what is being done
  bool undoing = false;
};

/// For /run/gpuhost/status.json while a run goes on; `known` is what stood there before, or null. `plan` is
/// what the run goes by; null: it undoes what an interrupted one has done.
[[nodiscard]] Json running_status_json(Json known, const RunProgress& progress, const Plan* plan);

/// The same when nobody holds the run lock: a run that was under way has ended without a word.
[[nodiscard]] Json abandoned_status_json(Json known);

/// The state of the host after a run as conditions, for /run/gpuhost/status.json. `ended` is the host's time.
[[nodiscard]] Json status_json(const RunReport& report, const std::string& ended);

/// The same after an interrupted run was ended; `known` is what stood there, or null. Whether the host is as
/// its document says was not looked at.
[[nodiscard]] Json recovered_status_json(Json known, const RecoverReport& report, const std::string& ended);

/// The same when what was tried is kept.
[[nodiscard]] Json confirmed_status_json(Json known);

/// What `status` shows. `status` is null when there was no run since boot; `unreadable_lock` says why the
/// holder of the run lock cannot be told.
struct StatusView {
  Json status;
  std::optional<RunLock::Holder> holder = {};
  std::optional<std::string> unreadable_lock = {};
  std::optional<Journal> left = {};  ///< by a run that was interrupted, goes on, or waits to be confirmed
  /// How long `left` may still be confirmed; nothing if it does not wait for that.
  std::optional<std::chrono::seconds> to_confirm = {};
  AbandonedWrites abandoned = {};
  Trials trials = {};          ///< documents that no boot unit applies
  PendingPhases pending = {};  ///< what a later boot goes on with
  std::string boot_id = {};    ///< of the boot that is looked at
};

[[nodiscard]] Json status_view_json(const StatusView& view);
[[nodiscard]] std::string status_text(const StatusView& view, const Style& style);

}  // namespace gpuhost
