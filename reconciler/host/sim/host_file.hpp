#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/pci_address.hpp"
#include "document/diagnostics.hpp"
#include "document/yaml.hpp"
#include "host/gpus.hpp"
#include "host/kernel_modules.hpp"
#include "host/sim/gpu/mig_model.hpp"
#include "host/units.hpp"

namespace gpuhost {

/// A recorded or simulated host (`kind: Host`), as a value. The files under it are what the readers read; the
/// other sections are what is no file, and what the hardware and firmware could do if asked.
struct HostFile {
  struct Text {
    std::string content;
    unsigned mode = 0644;
    bool operator==(const Text&) const = default;
  };
  /// A file too large to stand here, such as a driver's installer.
  struct Large {
    std::string sha256;
    unsigned mode = 0644;
    bool operator==(const Large&) const = default;
  };
  struct Link {
    std::string target;
    bool operator==(const Link&) const = default;
  };
  /// An empty directory; one with entries exists by them.
  struct Directory {
    bool operator==(const Directory&) const = default;
  };
  /// A device node: there, and never read.
  struct Device {
    bool operator==(const Device&) const = default;
  };
  /// There, but could not be read when it was recorded, and why.
  struct Unreadable {
    std::string reason;
    bool permission = false;
    bool unseen = false;  ///< not even its status could be told
    bool operator==(const Unreadable&) const = default;
  };
  using Entry = std::variant<Text, Large, Link, Directory, Device, Unreadable>;

  struct Module {
    ModuleFile file;
    std::vector<std::string> depends;             ///< with `_`
    std::map<std::string, std::string> defaults;  ///< values that nothing sets, of names in file.parameters
    bool at_boot = false;                         ///< loaded at boot by hardware or initramfs, unless blocked
    std::optional<LoadedModule> loaded;
    std::optional<Error> unknown;  ///< what asking for the module's file answered, in place of `file`
    bool broken = false;           ///< the kernel does not take it
    bool operator==(const Module&) const = default;
  };
  struct Unit {
    UnitState state;
    bool refuses_to_stop = false;
    std::optional<Error> unknown;  ///< what asking for its state answered, in place of `state`
    bool operator==(const Unit&) const = default;
  };
  enum class Iommu { none, intel, amd };
  /// What NVIDIA's vGPU manager makes vGPUs of once it has the GPU.
  enum class VgpuFramework { none, mdev, vendor_vfio };
  /// A physical GPU, however it is bound now. What it is beside this, the files and its PCI ids say.
  struct Gpu {
    std::string uuid;  ///< "GPU-…"; empty: unknown, as when its driver was never seen
    /// Modules that bind it when they are loaded, with `_`; of several that are loaded the first.
    std::vector<std::string> drivers = {"nvidia", "nouveau"};
    VgpuFramework framework = VgpuFramework::none;
    /// Where virtfn0 appears; the others follow it address by address. Absent: it has no virtual functions.
    std::optional<PciAddress> first_function;
    /// After so many device events the new virtual functions show what vGPUs are made of.
    unsigned types_after = 0;
    std::optional<unsigned> failing_function;  ///< index of one that comes up without driver
    std::string serial;                        ///< empty: the board has none
    std::optional<GpuSwitch> ecc;              ///< nothing: it cannot be switched
    VgpuScheduler scheduler;
    /// What its display mode was switched to since the last boot, as the tool names it; empty: nothing.
    std::string next_display;
    bool mixed_sizes = false;
    bool licensed = false;  ///< for virtual workstations; counts with a driver that asks for licences
    std::chrono::seconds reset_time{0};  ///< how long a reset keeps whoever asked for it waiting
    /// What NVIDIA's driver tells of MIG, by id. Nothing: what the catalogue says of its PCI ids. Empty: it
    /// cannot be partitioned.
    std::optional<std::vector<GpuInstanceProfile>> mig_profiles;
    MigState mig;
    /// Names of vGPU types by the numbers that the recorded driver gave them; those of the catalogue where
    /// there are none.
    std::map<unsigned, std::string> vgpu_types;
    std::optional<Error> mig_unknown;  ///< why the instances could not be told
    bool gone = false;                 ///< the board is out: after a boot nothing of its slot is there
    bool operator==(const Gpu&) const = default;
  };
  /// Another PCI function: audio, USB and the like.
  struct Function {
    std::vector<std::string> drivers;  ///< as with GPUs
    bool operator==(const Function&) const = default;
  };
  struct Machine {
    Iommu iommu = Iommu::none;  ///< what the firmware offers the kernel
    /// Whether the kernel turns it on without being told (CONFIG_INTEL_IOMMU_DEFAULT_ON and the like).
    bool iommu_default_on = true;
    /// IOMMU groups by number, with the PCI addresses in them, as they are whenever the IOMMU is on. Empty:
    /// one for each PCI slot. Filled when a boot turns the IOMMU off.
    std::map<unsigned, std::vector<std::string>> iommu_groups;
    /// Names under /sys/class/iommu whenever the IOMMU is on. Empty: dmar0 (intel) or ivhd0 (amd).
    std::vector<std::string> iommu_units;
    /// What modprobe.d said when the initramfs was last built, if it now says something else.
    std::optional<std::string> initramfs;
    /// What proxmox-boot-tool last wrote for the next boot to system partitions that are not mounted.
    std::optional<std::string> esp_command_line;
    /// Words of a command line with which the kernel panics; the host then starts once more by itself.
    std::vector<std::string> panics_with;
    std::map<PciAddress, Gpu> gpus;
    /// Set when NVIDIA's driver had GPUs and did not tell of them on the recorded host.
    std::optional<Error> gpus_unknown;
    std::map<PciAddress, Function> functions;
    bool operator==(const Machine&) const = default;
  };

  /// A process that has device nodes open. One in a unit's cgroup (/system.slice/UNIT) lives while the unit
  /// is active, one in a domain's (/machine.slice/machine-qemu…) while the domain runs.
  struct Process {
    std::string name;
    std::string cgroup;              ///< empty: none that matters
    std::vector<std::string> opens;  ///< device nodes, sorted, each once
    bool operator==(const Process&) const = default;
  };
  /// The QEMU guest agent of a guest that runs, and what it would find there of NVIDIA's driver.
  struct Agent {
    std::string system;     ///< as guest-get-osinfo says: "debian", "mswindows"
    std::string installed;  ///< version; empty: none
    std::string loaded;     ///< the same
    bool licensed = false;
    bool refuses_commands = false;  ///< guest-exec is disabled
    bool refuses_files = false;     ///< guest-file-open is
    bool operator==(const Agent&) const = default;
  };
  /// A domain of libvirt. Its QEMU process need not be listed.
  struct Domain {
    std::string definition;  ///< XML; of a transient domain what it was created from
    std::optional<std::string>
        live;  ///< XML of the guest, or of its saved image, if it is not the definition
    bool running = false;
    bool saved = false;  ///< off, with its memory saved: the next start goes on from there
    bool autostart = false;
    bool persistent = true;
    bool ignores_shutdown = false;  ///< the guest does nothing about a request to shut down
    bool refuses_detach = false;    ///< the guest does not let go of a device
    std::optional<Agent> agent;     ///< nothing: none answers
    bool operator==(const Domain&) const = default;
  };
  /// What libvirt answers for one connection.
  struct Connection {
    std::map<std::string, Domain> domains;  ///< by name
    std::optional<Error> unknown;           ///< why the domains could not be told
    bool operator==(const Connection&) const = default;
  };

  /// What a driver's installer or package brings to this host when it is run, in place of a real one.
  struct Installer {
    enum class Fault { none, does_nothing, fails, hangs, brings_broken_modules };
    std::string sha256;   ///< of the file; empty: the package comes from a repository
    std::string package;  ///< its name; empty: a .run file
    std::string flavor;   ///< as in a document: "vgpu-manager", "graphics", "datacenter"
    std::string version;
    std::string signer;  ///< of its modules; empty: they have no signature
    Fault fault = Fault::none;
    bool operator==(const Installer&) const = default;
  };

  std::string name;
  std::string description;
  Machine machine;
  std::map<std::string, Entry> files;  ///< by absolute path; directories above an entry exist by themselves
  std::map<std::string, Module> modules;  ///< by name with `_`
  /// Set when the loaded modules could not be told on the recorded host.
  std::optional<Error> modules_unknown;
  std::map<std::string, Unit> units;
  /// Set when systemd could not be asked on the recorded host.
  std::optional<Error> units_unknown;
  std::map<int, Process> processes;  ///< by pid
  /// Set when the recorded host did not tell who has device nodes open.
  std::optional<Error> processes_unknown;
  /// By URI, as "qemu:///system". With one that is not here, libvirt cannot be reached.
  std::map<std::string, Connection> domains;
  std::vector<Installer> installers;
  bool operator==(const HostFile&) const = default;
};

/// A host with many GPUs and functions has more files than a document has values.
inline constexpr YamlLimits host_file_limits{.bytes = std::size_t{16} << 20U, .depth = 8, .nodes = 1'000'000};

/// Nothing on any problem; the problems are then in `diagnostics`. `source` as in parse_yaml.
[[nodiscard]] std::optional<HostFile> decode_host_file(std::uint32_t source, Diagnostics& diagnostics);

/// The same host as YAML; equal hosts have equal bytes.
[[nodiscard]] std::string write_host_file(const HostFile& host);

}  // namespace gpuhost
