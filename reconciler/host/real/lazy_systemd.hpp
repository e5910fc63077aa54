#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "host/real/systemd.hpp"

namespace gpuhost {

/// systemd, behind a library that is loaded on first use, since D-Bus would cost every start of gpuhost some
/// milliseconds. unavailable, without loading anything: systemd does not run here, or there is no system bus.
class LazySystemd final : public Systemd {
 public:
  /// `library`: libgpuhost-systemd.so.
  explicit LazySystemd(std::string library = installed_library());

  /// ../lib/gpuhost/libgpuhost-systemd.so from where the running program is; nothing else is ever loaded.
  [[nodiscard]] static std::string installed_library();
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

 private:
  Result<Systemd*> reach() const;
  Result<std::unique_ptr<Systemd>> load() const;

  std::string library_;
  mutable std::once_flag loaded_;
  mutable Result<std::unique_ptr<Systemd>> adapter_;
};

}  // namespace gpuhost
