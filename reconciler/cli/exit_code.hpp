#pragma once

#include "base/result.hpp"

namespace gpuhost {

/// One number, one meaning, whatever the verb.
enum class ExitCode : int {
  done = 0,               ///< planned, converged, or in sync
  failed = 1,             ///< the operation failed; nothing was changed, or --no-rollback
  differs = 2,            ///< differences exist
  reboot_needed = 3,      ///< done so far, a reboot is needed to finish
  undone = 4,             ///< apply failed, undone, and verified to be as before
  partly_done = 5,        ///< apply failed and not all could be undone: needs a person
  refused = 6,            ///< the plan or the document is not for this host, or files of a newer gpuhost
  not_applyable = 7,      ///< blocked, against the policy, or not supported by this version
  usage = 64,             ///< the command line is wrong
  invalid_document = 65,  ///< a document or host file is invalid or unreadable
  unavailable = 69,       ///< a needed service cannot be reached, or something is unknown
  busy = 75,              ///< locked, or another transient hindrance
  denied = 77,            ///< permission denied, or a file that others can write
  interrupted = 130,      ///< SIGINT, after reaching a safe point
  terminated = 143,       ///< SIGTERM, after reaching a safe point
};

/// For an error that ends a verb before it changed anything.
[[nodiscard]] constexpr ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::stale:
      return ExitCode::refused;
    case ErrorKind::unsupported:
      return ExitCode::not_applyable;
    case ErrorKind::denied:
      return ExitCode::denied;
    case ErrorKind::busy:
      return ExitCode::busy;
    case ErrorKind::unavailable:
      return ExitCode::unavailable;
    case ErrorKind::invalid:
    case ErrorKind::not_found:
    case ErrorKind::timed_out:
    case ErrorKind::mismatch:
    case ErrorKind::io:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace gpuhost
