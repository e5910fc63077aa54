#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "document/diagnostics.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

/// A plan as it was shown, with the documents it was made from. It is never turned into steps: who applies it
/// plans again from the documents, and goes on only if the same plan comes out.
struct SavedPlan {
  std::string created;        ///< RFC 3339 UTC
  std::string nonce;          ///< makes it usable once
  bool skip_missing = false;  ///< planned with --missing skip
  std::vector<Source> documents;
  Json plan;  ///< as plan_json gives it
};

/// Writes a plan that can be applied, with mode 0600.
[[nodiscard]] OrExit<void> save_plan(const std::string& path, const Plan& plan, const Diagnostics& documents,
                                     bool skip_missing, const Clock& clock);

/// `trusted`: only a file that nobody but root can have written. Tells what is wrong.
[[nodiscard]] OrExit<SavedPlan> load_saved_plan(const std::string& path, bool trusted);

/// stale: `now` is another plan, or for another host; the message says what differs.
[[nodiscard]] Result<void> check_same_plan(const SavedPlan& saved, const Plan& now);

/// Writes down on the host that it is used from now on. stale: it was used already.
[[nodiscard]] Result<void> mark_used(const SavedPlan& saved, Host& host);

}  // namespace gpuhost
