#pragma once

#include "host/domains.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// libvirt's domains of a simulated host. Not for several threads.
class SimDomains final : public DomainReader, public DomainWriter {
 public:
  explicit SimDomains(HostFile& host) : host_(host) {}

  [[nodiscard]] Result<std::vector<Domain>> domains(const std::string& connection) const override;
  [[nodiscard]] Result<Domain> domain(const std::string& connection, const std::string& name) const override;
  /// Simulated definitions hold no secrets.
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
  Result<void> detach(const std::string& connection, const std::string& name, const std::string& device_xml,
                      std::chrono::seconds limit) override;

 private:
  HostFile& host_;
};

}  // namespace gpuhost
