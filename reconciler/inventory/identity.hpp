#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/files.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// Which GPU has which UUID, kept for the time when no NVIDIA driver tells: a GPU on vfio-pci shows its PCI
/// ids only.
namespace identity_record {

inline constexpr const char* path = "/var/lib/gpuhost/identity.json";

/// By address. No file is no knowledge. stale: written by a newer gpuhost; invalid: it is no such record.
[[nodiscard]] Result<std::vector<KnownGpu>> load(const FileReader& files);

/// `known` with what is seen now: a board that was swapped or has moved has one entry, that of today.
[[nodiscard]] std::vector<KnownGpu> updated(const Inventory& seen);

/// Writes it, unless it says so already.
Result<void> store(const std::vector<KnownGpu>& gpus, const FileReader& reader, FileWriter& files);

}  // namespace identity_record

}  // namespace gpuhost
