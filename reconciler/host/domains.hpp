#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// A libvirt domain.
struct Domain {
  std::string name;
  std::string uuid;
  bool persistent = false;
  bool running = false;
  bool autostart = false;
};

/// Domains of the local libvirt, over a read-only connection. unavailable: it cannot be reached.
class DomainReader {
 public:
  virtual ~DomainReader() = default;
  /// In order of name.
  [[nodiscard]] virtual Result<std::vector<Domain>> list() const = 0;
  /// The definition that the next start uses.
  [[nodiscard]] virtual Result<std::string> definition(const std::string& name) const = 0;
};

class DomainWriter {
 public:
  virtual ~DomainWriter() = default;
  virtual Result<void> define(const std::string& xml) = 0;
  virtual Result<void> start(const std::string& name) = 0;
  /// Asks the guest to shut down; done when the domain is off, timed_out when it is not off in time.
  virtual Result<void> shut_down(const std::string& name, std::chrono::seconds limit) = 0;
};

}  // namespace gpuhost
