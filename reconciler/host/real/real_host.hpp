#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// The machine gpuhost runs on, or a directory given by --root. Adapters connect on first use.
class RealHost {
 public:
  /// `root` "/" is the live machine; for any other directory only files are read and written, and every other
  /// port refuses to change anything.
  explicit RealHost(std::string root = "/");
  ~RealHost();
  RealHost(const RealHost&) = delete;
  RealHost& operator=(const RealHost&) = delete;

  [[nodiscard]] HostView view() const;
  [[nodiscard]] Host host();
  /// Asks systemd to reboot and returns at once.
  Result<void> reboot();

 private:
  struct Adapters;
  std::unique_ptr<Adapters> adapters_;
};

}  // namespace gpuhost
