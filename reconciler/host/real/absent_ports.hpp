#pragma once

#include "host/commands.hpp"
#include "host/domains.hpp"
#include "host/gpus.hpp"
#include "host/guest_agents.hpp"
#include "host/kernel_modules.hpp"
#include "host/processes.hpp"
#include "host/units.hpp"
#include "host/waiter.hpp"

namespace gpuhost {

/// The ports of a host whose system does not run (a directory given by --root): they answer and change
/// nothing, and give one reason for it.
class AbsentPorts final : public ModuleReader,
                          public ModuleWriter,
                          public UnitReader,
                          public UnitWriter,
                          public DomainReader,
                          public DomainWriter,
                          public GuestAgents,
                          public ProcessReader,
                          public GpuReader,
                          public GpuWriter,
                          public CommandRunner,
                          public Waiter {
 public:
  explicit AbsentPorts(std::string reason) : reason_(std::move(reason)) {}

  [[nodiscard]] Result<std::map<std::string, LoadedModule>> loaded() const override { return unsupported(); }
  [[nodiscard]] Result<ModuleFile> available(const std::string& /*name*/) const override {
    return unsupported();
  }
  Result<void> load(const std::string& /*name*/) override { return unsupported(); }
  Result<void> load_again(const std::string& /*name*/) override { return unsupported(); }
  Result<void> unload(const std::string& /*name*/) override { return unsupported(); }

  [[nodiscard]] Result<UnitState> state(const std::string& /*unit*/) const override { return unavailable(); }
  Result<void> start(const std::string& /*unit*/, std::chrono::seconds /*limit*/) override {
    return unavailable();
  }
  Result<void> stop(const std::string& /*unit*/, std::chrono::seconds /*limit*/) override {
    return unavailable();
  }
  Result<void> reload(const std::string& /*unit*/, std::chrono::seconds /*limit*/) override {
    return unavailable();
  }
  Result<void> enable(const std::string& /*unit*/) override { return unavailable(); }
  Result<void> disable(const std::string& /*unit*/) override { return unavailable(); }

  using Text = const std::string&;
  [[nodiscard]] Result<std::vector<Domain>> domains(Text /*connection*/) const override {
    return unavailable();
  }
  [[nodiscard]] Result<Domain> domain(Text /*connection*/, Text /*name*/) const override {
    return unavailable();
  }
  [[nodiscard]] Result<std::string> full_definition(Text /*connection*/, Text /*name*/) override {
    return unavailable();
  }
  Result<void> define(Text /*connection*/, Text /*xml*/) override { return unavailable(); }
  Result<void> start(Text /*connection*/, Text /*name*/) override { return unavailable(); }
  Result<void> shut_down(Text /*connection*/, Text /*name*/, std::chrono::seconds /*limit*/) override {
    return unavailable();
  }
  Result<void> managed_save(Text /*connection*/, Text /*name*/) override { return unavailable(); }
  Result<void> destroy(Text /*connection*/, Text /*name*/) override { return unavailable(); }
  Result<void> set_autostart(Text /*connection*/, Text /*name*/, bool /*on*/) override {
    return unavailable();
  }
  Result<void> attach(Text /*connection*/, Text /*name*/, Text /*device_xml*/) override {
    return unavailable();
  }
  Result<void> detach(Text /*connection*/, Text /*name*/, Text /*device_xml*/,
                      std::chrono::seconds /*limit*/) override {
    return unavailable();
  }

  [[nodiscard]] Result<std::string> operating_system(Text /*connection*/, Text /*domain*/) override {
    return unavailable();
  }
  [[nodiscard]] Result<std::string> read(Text /*connection*/, Text /*domain*/, Text /*path*/) override {
    return unavailable();
  }
  Result<CommandResult> run(Text /*connection*/, Text /*domain*/, const Command& /*command*/) override {
    return unavailable();
  }

  [[nodiscard]] Result<std::vector<Process>> device_users() const override { return unavailable(); }

  [[nodiscard]] Result<GpuReports> gpus() const override { return unavailable(); }
  Result<GpuSwitch> set_mig_mode(const PciAddress& /*gpu*/, bool /*on*/) override { return unavailable(); }
  Result<GpuSwitch> set_ecc(const PciAddress& /*gpu*/, bool /*on*/) override { return unavailable(); }
  Result<void> set_scheduler(const PciAddress& /*gpu*/, const VgpuScheduler& /*scheduler*/) override {
    return unavailable();
  }
  Result<void> set_mixed_sizes(const PciAddress& /*gpu*/, bool /*on*/) override { return unavailable(); }
  Result<GpuInstance> create_gpu_instance(const PciAddress& /*gpu*/, unsigned /*profile*/,
                                          MigPlacement /*placement*/) override {
    return unavailable();
  }
  Result<void> destroy_gpu_instance(const PciAddress& /*gpu*/, unsigned /*id*/) override {
    return unavailable();
  }
  Result<ComputeInstance> create_compute_instance(const PciAddress& /*gpu*/, unsigned /*gpu_instance*/,
                                                  unsigned /*slices*/) override {
    return unavailable();
  }
  Result<void> destroy_compute_instance(const PciAddress& /*gpu*/, unsigned /*gpu_instance*/,
                                        unsigned /*id*/) override {
    return unavailable();
  }

  Result<CommandResult> run(const Command& /*command*/) override { return unavailable(); }
  bool until(const std::function<bool()>& done, std::chrono::seconds /*limit*/) override { return done(); }

 private:
  [[nodiscard]] std::unexpected<Error> unsupported() const { return fail(ErrorKind::unsupported, reason_); }
  [[nodiscard]] std::unexpected<Error> unavailable() const { return fail(ErrorKind::unavailable, reason_); }

  std::string reason_;
};

}  // namespace gpuhost
