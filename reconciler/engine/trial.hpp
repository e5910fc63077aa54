#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// Documents that were tried and not confirmed, by name, with their sha256. They stay on record when what
/// they did is undone, so that no boot unit applies them unasked. Kept in `trials_path` on the host.
using Trials = std::map<std::string, std::string>;

inline constexpr const char* trials_path = "/var/lib/gpuhost/trials.json";

/// stale: written by a newer gpuhost; invalid: damaged.
[[nodiscard]] Result<Trials> load_trials(const FileReader& files);

/// Before the first step of the trial.
Result<void> begin_trial(const std::string& document, const std::string& sha256, Host& host);

/// The document is confirmed, or was applied without being tried, or its trial has changed nothing.
Result<void> end_trial(const std::string& document, Host& host);

}  // namespace gpuhost
