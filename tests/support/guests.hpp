#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kinds/one_pass.hpp"
#include "kinds/vm_binding/vm_binding.hpp"
#include "support/gpu_files.hpp"
#include "support/ownership_text.hpp"

namespace gpuhost::testing {

inline const PciAddress gpu = *PciAddress::parse("0000:61:00.0");
inline const PciAddress audio = *PciAddress::parse("0000:61:00.1");
inline const Uuid vgpu = *Uuid::parse("aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee");
inline const std::string gpu_element =
    "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' bus='0x61' "
    "slot='0x00' "
    "function='0x0'/></source></hostdev>";
inline const std::string audio_element =
    "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' bus='0x61' "
    "slot='0x00' "
    "function='0x1'/></source></hostdev>";
inline const std::string vgpu_element =
    "<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'><source><address "
    "uuid='aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee'/></source></hostdev>";
inline const std::string nova =
    "<metadata><n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>";

inline std::string domain_xml(const std::string& name, const std::string& devices,
                              const std::string& rest = {}) {
  return "<domain type='kvm'>\n  <name>" + name + "</name>\n  " + rest +
         "<devices>\n    <emulator>/q</emulator>" + devices + "\n  </devices>\n</domain>\n";
}

inline Domain off(const std::string& name, const std::string& devices = {}, const std::string& rest = {}) {
  return {.name = name, .persistent = true, .definition = domain_xml(name, devices, rest)};
}

inline Domain on(const std::string& name, const std::string& devices = {}, const std::string& rest = {}) {
  auto domain = off(name, devices, rest);
  domain.running = true;
  domain.live = domain.definition;
  return domain;
}

/// A GPU on vfio-pci with its audio function, a GPU with a vGPU, and the guest "train".
inline FakeHost host_with(Domain domain) {
  FakeHost host;
  host.files["/etc/machine-id"] = "4c4f5b1e9d3e4c0fa7b8d2e6513f9a01\n";
  put_function(host, {.address = gpu.to_string(), .driver = "vfio-pci", .group = 11});
  put_function(host,
               {.address = audio.to_string(), .pci_class = "0x040300", .driver = "vfio-pci", .group = 11});
  put_function(host, {.address = "0000:41:00.0"});
  put_mediated_device(host, vgpu.to_string(), "0000:41:00.0", "nvidia-18", "GRID M60-2Q", 44);
  host.guests.emplace();
  host.guests->emplace(domain.name, std::move(domain));
  return host;
}

inline GpuEntry entry(const std::string& name, const std::string& address) {
  return {.name = Located{name, Mark{}},
          .mark = {},
          .match_mark = {},
          .selector = GpuSelector{.by = GpuSelector::By::address, .value = address},
          .mode = {}};
}

struct Document {
  VmSpec vm{.name = {"train", Mark{}}};
  bool companions = false;
  GpuSelector::Missing missing = GpuSelector::Missing::refuse;

  Document& devices(std::vector<std::pair<VmSpec::Device::Type, std::string>> wanted) {
    vm.devices = Located{std::vector<VmSpec::Device>{}, Mark{}};
    for (auto& [type, name] : wanted) vm.devices->value.push_back({type, {name, Mark{}}});
    return *this;
  }
  Document& state(VmSpec::State wanted) {
    vm.state = Located{wanted, Mark{}};
    return *this;
  }
  Document& autostart(bool wanted) {
    vm.autostart = Located{wanted, Mark{}};
    return *this;
  }
  Document& attach(VmSpec::Attach wanted) {
    vm.attach = Located{wanted, Mark{}};
    return *this;
  }
  [[nodiscard]] std::unique_ptr<Kind> kind() const {
    std::vector<NamedDevices> named;
    named.push_back({.entry = entry("right", gpu.to_string()), .companions_too = companions, .vgpus = {}});
    named.back().entry.selector->missing = missing;
    named.push_back({.entry = entry("left", "0000:41:00.0"),
                     .companions_too = false,
                     .vgpus = {{.name = "train", .count = 1, .uuids = {vgpu}}, {.name = "new", .count = 2}}});
    return make_vm_binding({vm}, std::move(named));
  }
};

inline constexpr auto whole = VmSpec::Device::Type::gpu;
inline constexpr auto part = VmSpec::Device::Type::vgpu;

inline Proposal proposal_of(const Document& document, const FakeHost& host, const Ownership& owned = {},
                            const Policy& policy = {}) {
  return plan(*document.kind(), host, owned, policy);
}

/// The steps, run, with the record of what they set.
inline Ownership applied(const Document& document, FakeHost& host, Ownership owned = {},
                         const Policy& policy = {}) {
  const auto kind = document.kind();
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  host.files[Ownership::path] = testing::text_of(owned);
  return owned;
}

}  // namespace gpuhost::testing
