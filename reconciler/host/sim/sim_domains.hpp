#pragma once

#include "host/domains.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_clock.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_host_devices.hpp"
#include "host/sim/sim_modules.hpp"

namespace gpuhost {

/// libvirt's domains of a simulated host. XML is kept as it was given, and shown as libvirt shows it: with a
/// UUID, and to readers without passwords. What is refused, and how it is told, is as with the adapter to
/// libvirt. Not for several threads.
class SimDomains final : public DomainReader, public DomainWriter {
 public:
  /// `kernel` takes what is written to sysfs, and binds drivers as the kernel does.
  SimDomains(HostFile& host, const SimFiles& files, FileWriter& kernel, SimModules& modules, SimClock& clock)
      : host_(host), files_(files), devices_(host, files, kernel, modules), clock_(clock) {}

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
  Result<void> detach(const std::string& connection, const std::string& name, const std::string& device_xml,
                      std::chrono::seconds limit) override;

  /// The host goes down, and all guests and processes with it.
  void power_off();
  /// Domains with autostart start, if libvirt does and their devices are there.
  void power_on();

 private:
  using Domains = std::map<std::string, HostFile::Domain>;
  struct Found {
    Domains& of_connection;
    Domains::iterator at;
    [[nodiscard]] const std::string& name() const { return at->first; }
    [[nodiscard]] HostFile::Domain& domain() const { return at->second; }
  };

  [[nodiscard]] Result<const Domains*> reach(const std::string& connection) const;
  Result<Found> find(const std::string& connection, const std::string& name);
  Result<void> run(const Found& found);
  void end(const Found& found);

  HostFile& host_;
  const SimFiles& files_;
  SimHostDevices devices_;
  SimClock& clock_;
};

}  // namespace gpuhost
