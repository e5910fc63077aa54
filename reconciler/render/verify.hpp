#pragma once

#include <cstddef>
#include <string>

#include "base/json.hpp"
#include "engine/plan.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// How many of a plan's findings have which verdict.
struct FindingCounts {
  std::size_t in_sync = 0;
  std::size_t differs = 0;
  std::size_t pending_reboot = 0;
  std::size_t unknown = 0;
  std::size_t denied = 0;  ///< of the unknown ones: readable with more permission
};

[[nodiscard]] FindingCounts count_findings(const Plan& plan);

/// Every managed field of the document, held against the host; drift apart.
[[nodiscard]] Json verify_json(const Plan& plan);
/// The same for people. Fields in sync are listed too: a reader wants to know what was looked at.
[[nodiscard]] std::string verify_text(const Plan& plan, const Style& style);

}  // namespace gpuhost
