#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "document/diagnostics.hpp"
#include "document/node.hpp"
#include "host/host.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// What an import works from.
struct PeerFiles {
  Diagnostics& diagnostics;   ///< its sources are the files; their problems go there
  std::string configuration;  ///< the one to take, where files name several; empty: none is chosen
  const HostView& host;       ///< for what the files name by numbers: types of vGPUs
  std::shared_ptr<const Result<Inventory>> inventory;  ///< of the host: whose function an address is

  /// The GPU that the address belongs to; null: there is none, or the host has no PCI bus.
  [[nodiscard]] const Gpu* gpu_at(const PciAddress& address) const {
    return *inventory ? (**inventory).owner_of(address) : nullptr;
  }
};

/// What the files say, as a document.
struct Imported {
  Node document;
  std::vector<std::string> left_out;  ///< what they say and the document does not, each with the reason
};

/// Each reads the configuration of one tool. Nothing on a problem of the files.

/// Source of the format: github.com/NVIDIA/mig-parted, api/spec/v1/spec.go.
[[nodiscard]] std::optional<Imported> import_mig_parted(const PeerFiles& files);
/// Source of the format: github.com/NVIDIA/vgpu-device-manager, api/spec/v1/spec.go.
[[nodiscard]] std::optional<Imported> import_vgpu_device_manager(const PeerFiles& files);
/// Definitions, as /etc/mdevctl.d/PARENT/UUID or printed by `mdevctl list --defined --dumpjson`.
/// Source: mdevctl(8).
[[nodiscard]] std::optional<Imported> import_mdevctl(const PeerFiles& files);
/// Overrides, as /etc/driverctl.d/pci-ADDRESS or printed by `driverctl list-overrides`. Source: driverctl(8).
[[nodiscard]] std::optional<Imported> import_driverctl(const PeerFiles& files);
/// nova.conf of a compute node: its GPUs as Nova expects them, whose vGPUs it makes itself.
/// Source: docs.openstack.org/nova, "Attaching virtual GPU devices to guests" and "[pci]".
[[nodiscard]] std::optional<Imported> import_nova(const PeerFiles& files);

}  // namespace gpuhost
