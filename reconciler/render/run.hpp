#pragma once

#include <optional>
#include <string>

#include "base/json.hpp"
#include "engine/reconcile.hpp"
#include "engine/run_lock.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// The end of a run for people: what holds, what went wrong, what is left, and what to do.
[[nodiscard]] std::string run_text(const RunReport& report, const Style& style);

/// {required, reasons}: the reasons name what only a reboot makes true.
[[nodiscard]] Json reboot_json(const Plan& plan);
[[nodiscard]] Json error_json(const Error& error);

/// The state of the host after a run as conditions, for /run/gpuhost/status.json. `ended` is the host's time.
[[nodiscard]] Json status_json(const RunReport& report, const std::string& ended);

/// What `status` shows. `status` is null when there was no run since boot; `unreadable_lock` says why the
/// holder of the run lock cannot be told.
struct StatusView {
  Json status;
  std::optional<RunLock::Holder> holder = {};
  std::optional<std::string> unreadable_lock = {};
};

[[nodiscard]] Json status_view_json(const StatusView& view);
[[nodiscard]] std::string status_text(const StatusView& view, const Style& style);

}  // namespace gpuhost
