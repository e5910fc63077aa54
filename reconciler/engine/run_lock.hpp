#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

/// The one run that may change a host. Held until destroyed, and given up by the kernel if the process dies.
/// The lock is flock(2) on a file whose content never changes: a run that has nothing to do writes nothing.
class RunLock {
 public:
  /// As the kernel tells it (/proc/locks, /proc/PID/cmdline); empty where it does not, as in another pid
  /// namespace.
  struct Holder {
    int pid = 0;          ///< 0: it cannot be told
    std::string command;  ///< "gpuhost apply -f host.yaml"
    [[nodiscard]] std::string to_string() const;
  };

  /// Takes the lock file, made if it is missing, directories too; or yields busy with the holder in the
  /// message. Never waits.
  [[nodiscard]] static Result<RunLock> take(const std::string& path);
  /// The same for a file that is there already and that every run replaces, such as a simulated host.
  [[nodiscard]] static Result<RunLock> take_existing(const std::string& path);
  /// Who holds it now. Takes nothing.
  [[nodiscard]] static Result<std::optional<Holder>> holder(const std::string& path);

 private:
  explicit RunLock(UniqueFd file) : file_(std::move(file)) {}
  static Result<RunLock> lock(UniqueFd file, const std::string& path);
  UniqueFd file_;
};

}  // namespace gpuhost
