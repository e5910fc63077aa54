#pragma once

#include "host/real/libvirt.hpp"

namespace gpuhost {

/// Domains over libvirt's C library. Holds no state: every call has its own connection.
///
/// A domain that is as the call shall make it, by us before a crash or by somebody else, is a success.
/// `start` leaves a guest that somebody has paused as it is.
class LibvirtDomains final : public Libvirt {
 public:
  [[nodiscard]] Result<std::vector<Domain>> domains(const std::string& connection) const override;
  [[nodiscard]] Result<Domain> domain(const std::string& connection, const std::string& name) const override;
  [[nodiscard]] Result<std::string> full_definition(const std::string& connection,
                                                    const std::string& name) override;
  Result<void> define(const std::string& connection, const std::string& xml) override;
  Result<void> start(const std::string& connection, const std::string& name) override;
  Result<void> shut_down(const std::string& connection, const std::string& name,
                         std::chrono::seconds limit) override;
  Result<void> managed_save(const std::string& connection, const std::string& name) override;
  Result<void> destroy(const std::string& connection, const std::string& name) override;
  Result<void> set_autostart(const std::string& connection, const std::string& name, bool on) override;
  Result<void> attach(const std::string& connection, const std::string& name,
                      const std::string& device_xml) override;
  /// libvirt itself waits up to five seconds, so that a shorter limit may be overrun.
  Result<void> detach(const std::string& connection, const std::string& name, const std::string& device_xml,
                      std::chrono::seconds limit) override;
  [[nodiscard]] Result<std::string> operating_system(const std::string& connection,
                                                     const std::string& domain) override;
  [[nodiscard]] Result<std::string> read(const std::string& connection, const std::string& domain,
                                         const std::string& path) override;
  Result<CommandResult> run(const std::string& connection, const std::string& domain,
                            const Command& command) override;
};

}  // namespace gpuhost
