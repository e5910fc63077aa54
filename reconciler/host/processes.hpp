#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// A process that has device nodes of GPUs open.
struct Process {
  int pid = 0;
  std::string name;    ///< /proc/PID/comm
  std::string cgroup;  ///< path in the unified or systemd's hierarchy: "/system.slice/x.service"
  std::vector<std::string> devices;  ///< "/dev/nvidia0", "/dev/vfio/57", "/dev/dri/card1"; sorted, each once
  bool operator==(const Process&) const = default;
};

class ProcessReader {
 public:
  virtual ~ProcessReader() = default;
  /// Every process that has one of /dev/nvidia*, /dev/vfio/*, /dev/dri/* open, by pid. Our own is left out.
  /// denied: there are such nodes, and only root can tell who has them open.
  [[nodiscard]] virtual Result<std::vector<Process>> device_users() const = 0;
};

}  // namespace gpuhost
