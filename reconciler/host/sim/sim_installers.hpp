#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/commands.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// NVIDIA's installers and the package tools on a simulated host: what they bring stands in
/// HostFile::installers. Not for several threads.
class SimInstallers {
 public:
  SimInstallers(HostFile& host, SimFiles& files) : host_(host), files_(files) {}

  using Arguments = std::vector<std::string>;

  /// `/bin/sh FILE OPTIONS`. timed_out: it would never come back.
  Result<CommandResult> run_file(const Arguments& arguments);
  /// nvidia-uninstall, which a .run file leaves.
  CommandResult uninstall();
  /// apt-get, dnf and zypper: `install` and `remove`, of packages by name or of files.
  Result<CommandResult> packages(std::string_view tool, const Arguments& arguments);

 private:
  using Installer = HostFile::Installer;

  Result<CommandResult> run(const Installer& installer);
  void bring(const Installer& installer);
  void bring_module(const std::string& name, const Installer& installer);
  void list_for_kernels();
  /// All of the driver that is installed, whoever brought it.
  void take_away();
  CommandResult remove(const Arguments& packages);
  [[nodiscard]] const Installer* find(std::string_view target) const;
  [[nodiscard]] bool is_loaded() const;
  [[nodiscard]] std::string running_kernel() const;
  [[nodiscard]] bool has_headers(const std::string& kernel) const;

  HostFile& host_;
  SimFiles& files_;
};

}  // namespace gpuhost
