#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "engine/bounds.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// What a run that ended at a reboot leaves for a later boot to finish, unasked: what was approved.
struct PendingPhase {
  /// Boots in which it may be begun; after them only a person goes on.
  static constexpr unsigned most_boots = 3;

  std::string document_sha256;
  std::string boot_id;        ///< of the boot that has staged it: it is due in any other
  Bounds bounds;              ///< of the plan that was approved
  unsigned reboots_left = 0;  ///< that the run was asked to make itself and has not made yet
  unsigned boots = 0;         ///< in which it was begun
  std::string begun_in = {};  ///< boot_id of the last of them
  bool operator==(const PendingPhase&) const = default;

  /// The host was booted since.
  [[nodiscard]] bool due(const std::string& boot_now) const {
    return !boot_now.empty() && boot_now != boot_id;
  }
  /// It was begun as often as it may be, and has not come to its end.
  [[nodiscard]] bool given_up(const std::string& boot_now) const {
    return boots >= most_boots && begun_in != boot_now;
  }
};

/// By name of the document. Kept in `pending_phases_path` on the host.
using PendingPhases = std::map<std::string, PendingPhase>;

inline constexpr const char* pending_phases_path = "/var/lib/gpuhost/pending.json";

/// stale: written by a newer gpuhost; invalid: damaged.
[[nodiscard]] Result<PendingPhases> load_pending_phases(const FileReader& files);

/// Leaves the phase to the next boot. One that is known, was begun as often and allows all that `left` still
/// needs stays as it is; what a person has approved anew was never begun.
Result<void> leave_pending(const std::string& document, PendingPhase phase, const Plan& left, Host& host);

/// Counts the boot, before anything is done in it.
Result<void> begin_pending(const std::string& document, PendingPhase& phase, const std::string& boot_now,
                           Host& host);

/// The document waits for no boot any more.
Result<void> end_pending(const std::string& document, Host& host);
/// The same if what waits is of another version of the document.
Result<void> end_outdated_pending(const std::string& document, const std::string& sha256, Host& host);

}  // namespace gpuhost
