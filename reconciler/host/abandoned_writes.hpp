#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// A request to the kernel that has not come back in its time. The process that made it hangs there past
/// every signal, and whoever asks for the same device may hang as well.
struct AbandonedWrite {
  std::string device;   ///< PCI address, UUID of a mediated device, or a path
  std::string request;  ///< "write '1' to /sys/…"
  std::string since;    ///< RFC 3339 UTC
  int pid = 0;
  std::string started;  ///< by /proc/PID/stat, so that a later process of this number is told apart

  /// What it is and what to do: one phrase.
  [[nodiscard]] std::string sentence() const;
  bool operator==(const AbandonedWrite&) const = default;
};

using AbandonedWrites = std::vector<AbandonedWrite>;

/// The device that a write to an attribute in sysfs is about: named in the text, as for a driver's `unbind`,
/// or in the path. Where neither names one, the path.
[[nodiscard]] std::string written_device(const std::string& path, std::string_view text);

/// When a process began, in clock ticks since boot. Empty: there is no such process, or it has ended and
/// nobody has asked how. Source: proc_pid_stat(5).
[[nodiscard]] std::string process_start(int pid, const FileReader& files);

/// Those on record, in this boot, whose process is still there. Errors: the record cannot be used.
[[nodiscard]] Result<AbandonedWrites> load_abandoned_writes(const FileReader& files);

/// Adds one to the record; those that have come back meanwhile leave it.
Result<void> record_abandoned_write(AbandonedWrite write, const FileReader& reader, FileWriter& files);

}  // namespace gpuhost
