#pragma once

#include <string>

#include "host/real/adapter_library.hpp"
#include "host/real/libvirt.hpp"

namespace gpuhost {

/// libvirt, behind a library that is loaded on first use. Connections are to this host's own libvirt
/// ("qemu:///system") or to libvirt's test driver ("test:///default"); all others are unsupported.
/// unavailable, without loading anything: libvirt has no socket here.
class LazyLibvirt final : public Libvirt {
 public:
  /// `library`: libgpuhost-libvirt.so. `run`: where libvirt's sockets are.
  explicit LazyLibvirt(std::string library = installed_adapter_library("libvirt"),
                       std::string run = "/run/libvirt");

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
  [[nodiscard]] Result<std::string> operating_system(const std::string& connection,
                                                     const std::string& domain) override;
  [[nodiscard]] Result<std::string> read(const std::string& connection, const std::string& domain,
                                         const std::string& path) override;
  Result<CommandResult> run(const std::string& connection, const std::string& domain,
                            const Command& command) override;

 private:
  /// The adapter, if the daemon of `connection` has the socket that readers use, or the one of writers.
  [[nodiscard]] Result<Libvirt*> reader(const std::string& connection) const;
  [[nodiscard]] Result<Libvirt*> writer(const std::string& connection) const;
  [[nodiscard]] Result<Libvirt*> reach(const std::string& connection, const char* socket_suffix) const;

  AdapterLibrary<Libvirt> library_;
  std::string run_;
};

}  // namespace gpuhost
