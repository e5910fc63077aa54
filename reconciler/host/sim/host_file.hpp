#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "document/diagnostics.hpp"
#include "host/kernel_modules.hpp"
#include "host/units.hpp"

namespace gpuhost {

/// A recorded or simulated host (`kind: Host`), as a value. The files under it are what the readers read; the other
/// sections are what is no file, and what the hardware and firmware could do if asked.
struct HostFile {
  struct Text {
    std::string content;
    unsigned mode = 0644;
    bool operator==(const Text&) const = default;
  };
  struct Link {
    std::string target;
    bool operator==(const Link&) const = default;
  };
  struct Directory {
    bool operator==(const Directory&) const = default;
  };
  /// There, but could not be read when it was recorded, and why.
  struct Unreadable {
    std::string reason;
    bool permission = false;
    bool operator==(const Unreadable&) const = default;
  };
  using Entry = std::variant<Text, Link, Directory, Unreadable>;

  struct Module {
    ModuleFile file;
    std::vector<std::string> depends;
    std::map<std::string, std::string> defaults;  ///< parameter values when nothing sets them
    bool at_boot = false;                         ///< loaded at boot by hardware or initramfs, unless blocked
    std::optional<LoadedModule> loaded;
    bool operator==(const Module&) const = default;
  };
  struct Unit {
    UnitState state;
    bool refuses_to_stop = false;
    bool operator==(const Unit&) const = default;
  };
  enum class Iommu { none, intel, amd };
  struct Machine {
    Iommu iommu = Iommu::none;  ///< what the firmware offers the kernel
    /// Whether the kernel turns it on without being told (CONFIG_INTEL_IOMMU_DEFAULT_ON and the like).
    bool iommu_default_on = true;
    bool operator==(const Machine&) const = default;
  };

  std::string name;
  std::string description;
  Machine machine;
  std::map<std::string, Entry> files;  ///< by absolute path; directories above an entry exist by themselves
  std::map<std::string, Module> modules;  ///< by name with `_`
  /// Set when modules could not be read on the recorded host.
  std::optional<Error> modules_unknown;
  std::map<std::string, Unit> units;
  std::optional<Error> units_unknown;
};

/// Nothing on any problem; the problems are then in `diagnostics`. `source` as in parse_yaml.
[[nodiscard]] std::optional<HostFile> decode_host_file(std::uint32_t source, Diagnostics& diagnostics);

/// The same host as YAML; equal hosts have equal bytes.
[[nodiscard]] std::string write_host_file(const HostFile& host);

}  // namespace gpuhost
