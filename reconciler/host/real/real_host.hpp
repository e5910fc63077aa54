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
  /// As Systemd says. unavailable: no systemd runs here.
  Result<void> run_later(const std::string& name, const Command& command, std::chrono::seconds delay);
  Result<void> cancel_later(const std::string& name);

 private:
  struct Adapters;
  std::unique_ptr<Adapters> adapters_;
};

}  // namespace gpuhost
