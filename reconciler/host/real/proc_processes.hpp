#pragma once

#include <string>

#include "host/processes.hpp"

namespace gpuhost {

/// Device users as /proc tells: who has a node open under its usual name, in a container too. A device that
/// is mapped but not open any more is not seen. /dev/vfio/vfio is left out: it belongs to no device.
class ProcProcesses final : public ProcessReader {
 public:
  /// `root`: where /proc and /dev are found.
  explicit ProcProcesses(std::string root = "");

  /// Reads nothing of /proc where there is no such node.
  [[nodiscard]] Result<std::vector<Process>> device_users() const override;

 private:
  std::string root_;
};

}  // namespace gpuhost
