#pragma once

#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "host/sim/sim_host.hpp"

/// Small hosts with GPUs for the simulator's tests. They are off: the first reboot binds drivers.
namespace gpuhost::gpu_hosts {

inline PciAddress address(const std::string& text) {
  return PciAddress::parse(text).value();
}

inline HostFile::Text line(const std::string& content) {
  return {content + "\n"};
}

/// An NVIDIA function in a real directory, with the link that lists it if it lies elsewhere.
inline void add_device(HostFile& host, const std::string& directory, const std::string& device,
                       const std::string& subsystem, const std::string& class_code) {
  const std::string name = directory.substr(directory.rfind('/') + 1);
  const std::string listed = "/sys/bus/pci/devices/" + name;
  host.files[directory + "/vendor"] = line("0x10de");
  host.files[directory + "/device"] = line(device);
  host.files[directory + "/subsystem_vendor"] = line("0x10de");
  host.files[directory + "/subsystem_device"] = line(subsystem);
  host.files[directory + "/class"] = line(class_code);
  host.files[directory + "/driver_override"] = line("(null)");
  if (listed != directory) host.files[listed] = HostFile::Link{"../../../.." + directory};
}

inline HostFile::Module module(bool at_boot) {
  HostFile::Module made;
  made.at_boot = at_boot;
  return made;
}

/// IOMMU, NVIDIA's driver loaded at boot, VFIO and nouveau there to be loaded.
inline HostFile base() {
  HostFile host;
  host.name = "test";
  host.machine.iommu = HostFile::Iommu::intel;
  host.files["/proc/cmdline"] = line("quiet");
  host.files["/usr/lib/nvidia/sriov-manage"] = HostFile::Text{"#!/bin/bash\n", 0755};
  host.modules["nvidia"] = module(true);
  host.modules["nvidia"].file.version = "550.90.05";
  host.modules["vfio_pci"] = module(false);
  host.modules["nouveau"] = module(false);
  return host;
}

inline constexpr const char* a100_directory = "/sys/devices/pci0000:40/0000:40:01.1/0000:41:00.0";

/// An A100 PCIe 40 GB with 16 virtual functions, in a directory below its bridge, as on a real host.
inline HostFile a100(HostFile::VgpuFramework framework = HostFile::VgpuFramework::mdev) {
  auto host = base();
  const std::string directory = a100_directory;
  add_device(host, directory, "0x20f1", "0x145f", "0x030200");
  host.files[directory + "/sriov_totalvfs"] = line("16");
  host.files[directory + "/sriov_numvfs"] = line("0");
  host.machine.gpus[address("0000:41:00.0")] = {.uuid = "GPU-11111111-2222-3333-4444-555555555555",
                                                .framework = framework,
                                                .first_function = address("0000:41:00.4")};
  return host;
}

/// A Tesla M60: two GPUs on one board, vGPUs without SR-IOV.
inline HostFile m60() {
  auto host = base();
  for (const std::string gpu : {"0000:05:00.0", "0000:06:00.0"}) {
    add_device(host, "/sys/bus/pci/devices/" + gpu, "0x13f2", "0x113a", "0x030000");
    host.machine.gpus[address(gpu)] = {.framework = HostFile::VgpuFramework::mdev};
  }
  return host;
}

/// A GPU with an audio function in its IOMMU group.
inline HostFile workstation() {
  auto host = base();
  add_device(host, "/sys/bus/pci/devices/0000:21:00.0", "0x2235", "0x145a", "0x030000");
  add_device(host, "/sys/bus/pci/devices/0000:21:00.1", "0x1aef", "0x145a", "0x040300");
  host.machine.gpus[address("0000:21:00.0")] = {.uuid = "GPU-a"};
  host.machine.functions[address("0000:21:00.1")] = {.drivers = {"snd_hda_intel"}};
  host.modules["snd_hda_intel"] = module(true);
  return host;
}

/// A simulated host and what tests ask of it again and again.
struct Machine {
  explicit Machine(const HostFile& file) : sim(file) { EXPECT_TRUE(sim.reboot()); }

  [[nodiscard]] std::string read(const std::string& path) const {
    return std::string(trim(sim.view().files.read(path).value_or("not there")));
  }
  [[nodiscard]] bool exists(const std::string& path) const {
    return sim.view().files.exists(path).value_or(false);
  }
  /// Name of what a link leads to; empty: no link.
  [[nodiscard]] std::string link(const std::string& path) const {
    const auto target = sim.view().files.link_target(path).value_or("");
    return target.substr(target.rfind('/') + 1);
  }
  [[nodiscard]] std::string driver(const std::string& device) const { return link(pci(device) + "/driver"); }
  [[nodiscard]] std::size_t count(const std::string& directory) const {
    return sim.view().files.list(directory).value_or(std::vector<std::string>{}).size();
  }
  Result<void> write(const std::string& path, const std::string& text) {
    return sim.host().files.write_attribute(path, text);
  }
  /// The error of a write that must fail.
  Error refusal(const std::string& path, const std::string& text) {
    const auto done = write(path, text);
    EXPECT_FALSE(done) << path;
    return done ? Error{} : done.error();
  }
  CommandResult sriov_manage(const std::string& what, const std::string& gpu) {
    const auto result = sim.host().commands.run({.argv = {"/usr/lib/nvidia/sriov-manage", what, gpu}});
    EXPECT_TRUE(result);
    return result.value_or(CommandResult{-1, ""});
  }
  void to_vfio(const std::string& device) {
    EXPECT_TRUE(sim.host().modules.load("vfio_pci"));
    EXPECT_TRUE(write(pci(device) + "/driver_override", "vfio-pci"));
    if (!driver(device).empty()) {
      EXPECT_TRUE(write(pci(device) + "/driver/unbind", device));
    }
    EXPECT_TRUE(write("/sys/bus/pci/drivers_probe", device));
  }

  [[nodiscard]] static std::string pci(const std::string& device) { return "/sys/bus/pci/devices/" + device; }
  /// The directory of a vGPU type on a parent.
  [[nodiscard]] std::string type(const std::string& parent, const std::string& name) const {
    const std::string types = pci(parent) + "/mdev_supported_types";
    for (const auto& id : sim.view().files.list(types).value_or(std::vector<std::string>{})) {
      if (read(fmt::format("{}/{}/name", types, id)).ends_with(name)) return types + "/" + id;
    }
    return types + "/none";
  }
  [[nodiscard]] std::string available(const std::string& parent, const std::string& name) const {
    return read(type(parent, name) + "/available_instances");
  }
  Result<void> make(const std::string& parent, const std::string& name, const std::string& uuid) {
    return write(type(parent, name) + "/create", uuid);
  }

  SimHost sim;
};

/// One that opens a node until the end of the host.
inline HostFile::Process opens(const std::string& node) {
  return {.name = "python3", .cgroup = "/user.slice", .opens = {node}};
}

}  // namespace gpuhost::gpu_hosts
