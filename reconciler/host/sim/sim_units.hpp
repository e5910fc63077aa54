#pragma once

#include <chrono>
#include <string>

#include "host/sim/host_file.hpp"
#include "host/sim/sim_clock.hpp"
#include "host/units.hpp"

namespace gpuhost {

/// The sub state that a unit of this name most often has in an active state.
[[nodiscard]] std::string usual_sub_state(const std::string& unit, const std::string& active_state);
/// The load state that goes with a unit file state.
[[nodiscard]] std::string usual_load_state(const std::string& unit_file_state);

/// systemd's units of a simulated host. Not for several threads.
class SimUnits final : public UnitReader, public UnitWriter {
 public:
  SimUnits(HostFile& host, SimClock& clock) : host_(host), clock_(clock) {}

  [[nodiscard]] Result<UnitState> state(const std::string& unit) const override;
  Result<void> start(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> stop(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> reload(const std::string& unit, std::chrono::seconds limit) override;
  Result<void> enable(const std::string& unit) override;
  Result<void> disable(const std::string& unit) override;

  /// What is enabled is active, all else is not.
  void boot();

 private:
  Result<HostFile::Unit*> known(const std::string& unit, const char* action);

  HostFile& host_;
  SimClock& clock_;
};

}  // namespace gpuhost
