#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/observed.hpp"
#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/files.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// A line of a PCI function's `resource` file.
struct PciResource {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t flags = 0;

  /// The function has it, and the firmware (and the kernel after it) found no address space for it.
  [[nodiscard]] bool unassigned() const { return flags != 0 && end != 0 && start == 0; }
  [[nodiscard]] std::uint64_t size() const { return end == 0 ? 0 : end - start + 1; }
};

/// What a GPU's virtual functions rest on in the firmware.
struct SriovSupport {
  PciAddress address;
  Observed<unsigned> total_functions;  ///< it can have; absent: no SR-IOV
  Observed<bool> ari;                  ///< Alternative Routing-ID Interpretation capability
  /// BARs of the virtual functions; absent: no SR-IOV.
  Observed<std::vector<PciResource>> function_bars;

  /// A BAR was given no address space: enabling the functions will fail.
  [[nodiscard]] bool lacks_address_space() const;
};

[[nodiscard]] SriovSupport read_sriov_support(const FileReader& files, const Gpu& gpu);

/// All lines of a `resource` file; a line that is none ends it.
[[nodiscard]] std::vector<PciResource> parse_pci_resources(std::string_view text);

/// Whether a PCI Express extended capability is among those in the content of a `config` file. Nothing: it
/// cannot be told, because the file was read without the privilege to see more than 64 bytes. Source: PCI
/// Express Base Specification, "PCI Express Extended Capabilities".
[[nodiscard]] std::optional<bool> has_extended_capability(std::string_view config, std::uint16_t id);

}  // namespace gpuhost
