#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/abandoned_writes.hpp"

namespace gpuhost {

/// Writes to devices that may never return, each in a process of its own, and what this process knows of
/// them.
class DeviceWrites {
 public:
  DeviceWrites(std::string program, std::chrono::seconds limit)
      : program_(std::move(program)), limit_(limit) {}

  /// How a write ended: with an errno, 0 if all went well, or not at all.
  using End = std::variant<int, AbandonedWrite>;
  /// One write(2) of `text` to an attribute that is open for writing. `proc` is where the process that makes
  /// it can be looked at.
  Result<End> write(const UniqueFd& attribute, std::string_view text, AbandonedWrite request,
                    const FileReader& proc);
  /// Waits while a write to the device is under way; the last of this process's that did not end in its time.
  [[nodiscard]] std::optional<AbandonedWrite> await(const std::string& device);

 private:
  std::string program_;
  std::chrono::seconds limit_;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable ended_;
  std::multiset<std::string> under_way_;
  std::map<std::string, AbandonedWrite> hanging_;
};

}  // namespace gpuhost
