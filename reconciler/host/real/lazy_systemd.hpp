#pragma once

#include <string>

#include "host/real/adapter_library.hpp"
#include "host/real/systemd.hpp"

namespace gpuhost {

/// systemd, behind a library that is loaded on first use. unavailable, without loading anything: systemd does
/// not run here, or there is no system bus.
class LazySystemd final : public Systemd {
 public:
  /// `library`: libgpuhost-systemd.so.
  explicit LazySystemd(std::string library = installed_adapter_library("systemd"));

  /// Whether systemd is what started this host, sd_booted(3).
  [[nodiscard]] static bool booted();

  [[nodiscard]] Result<UnitState> state(const std::string& unit) const override;
  Result<void> start(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> stop(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> reload(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> enable(const std::string& unit) override;
  Result<void> disable(const std::string& unit) override;
  Result<CommandResult> run(const Command& command) override;
  Result<void> reboot() override;
  Result<void> run_later(const std::string& name, const Command& command,
                         std::chrono::seconds delay) override;
  Result<void> cancel_later(const std::string& name) override;

 private:
  Result<Systemd*> reach() const;

  AdapterLibrary<Systemd> library_;
};

}  // namespace gpuhost
