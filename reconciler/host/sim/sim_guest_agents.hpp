#pragma once

#include <string>

#include "host/guest_agents.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// The agents of a simulated host's guests: they know the files and programs that tell of NVIDIA's driver, as
/// a guest has them where it is installed or loaded.
class SimGuestAgents final : public GuestAgents {
 public:
  explicit SimGuestAgents(const HostFile& host) : host_(host) {}

  [[nodiscard]] Result<std::string> operating_system(const std::string& connection,
                                                     const std::string& domain) override;
  [[nodiscard]] Result<std::string> read(const std::string& connection, const std::string& domain,
                                         const std::string& path) override;
  Result<CommandResult> run(const std::string& connection, const std::string& domain,
                            const Command& command) override;

 private:
  [[nodiscard]] Result<const HostFile::Agent*> reach(const std::string& connection,
                                                     const std::string& domain) const;

  const HostFile& host_;
};

}  // namespace gpuhost
