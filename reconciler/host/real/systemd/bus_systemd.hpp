#pragma once

#include "host/real/systemd.hpp"

namespace gpuhost {

/// systemd over the system bus. Starts nothing but what it is asked for. Holds no state: every call has its
/// own connection.
class BusSystemd final : public Systemd {
 public:
  [[nodiscard]] Result<UnitState> state(const std::string& unit) const override;

  /// timed_out leaves systemd's job as it is: systemd goes on with it by the unit's own limits.
  Result<void> start(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> stop(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> reload(const std::string& unit, std::chrono::seconds limit) override;
  /// unsupported: the unit file says of no target that it wants it (no [Install] section).
  Result<void> enable(const std::string& unit) override;
  Result<void> disable(const std::string& unit) override;

  Result<CommandResult> run(const Command& command) override;

  /// Through logind if it runs, which waits for those who delay a shutdown; else by starting reboot.target.
  Result<void> reboot() override;

  Result<void> run_later(const std::string& name, const Command& command,
                         std::chrono::seconds delay) override;
  Result<void> cancel_later(const std::string& name) override;

 private:
  Result<void> run_job(const char* action, const char* method, const std::string& unit,
                       std::chrono::seconds limit);
};

}  // namespace gpuhost
