#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

/// The one run that may change the host. Held until destroyed, and given up by the kernel if the process
/// dies.
class RunLock {
 public:
  struct Holder {
    int pid = 0;
    std::string verb;
    std::string since;  ///< RFC 3339
  };

  /// Takes the lock file (made if it is missing, directories too) or yields busy with the holder's pid, verb
  /// and time in the message. Never waits.
  [[nodiscard]] static Result<RunLock> take(const std::string& path, const Holder& holder);
  RunLock(RunLock&&) noexcept = default;
  RunLock& operator=(RunLock&&) noexcept = default;
  ~RunLock();

  /// Who holds it now. Asks by a shared lock, held for that moment.
  [[nodiscard]] static Result<std::optional<Holder>> holder(const std::string& path);

 private:
  explicit RunLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace gpuhost
