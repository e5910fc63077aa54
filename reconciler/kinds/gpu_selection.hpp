#pragma once

#include <optional>
#include <string>
#include <vector>

#include "document/gpu_entry.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// What one kind says of one entry of `gpus`.
template <class Spec>
struct ForGpus {
  GpuEntry entry;
  Spec spec;
};

/// A GPU that an entry selects.
struct SelectedGpu {
  const Gpu* gpu = nullptr;  ///< in the inventory that was searched
  /// Its name in addresses of the plan: "left", "desk#1" where an entry matches several, or its PCI address
  /// where the entry has no name.
  std::string label;
  /// The name that vGPU identities are made of: as `label`; empty if the entry has none.
  std::string name;
};

struct Selection {
  std::vector<SelectedGpu> gpus;  ///< in PCI order
  /// Labels of GPUs that the selector means, that were there once and are absent now.
  std::vector<std::string> absent;
  /// Why the selector does not match as it should, in one phrase; empty: it does, or it cannot be told.
  std::string problem;
  std::string advice;
  /// Why it cannot be told what it matches; empty: it can.
  std::string unknown;
};

/// The GPUs that an entry is about. Several matches are numbered in PCI order, those counted in that are
/// absent now and on record, so that the others keep their names.
[[nodiscard]] Selection select_gpus(const GpuEntry& entry, const Inventory& inventory);

/// Hands `plan` every GPU that an entry selects, with what is said of it. False: some selector cannot be
/// told, and may mean any GPU, or means one that is absent, and what that had is not given up.
template <class Spec, class Plan>
[[nodiscard]] bool select_each(const std::vector<ForGpus<Spec>>& wishes, const Inventory& inventory,
                               Plan plan) {
  bool certain = true;
  for (const auto& [entry, spec] : wishes) {
    const auto selection = select_gpus(entry, inventory);
    certain = certain && selection.unknown.empty() && selection.absent.empty();
    for (const auto& selected : selection.gpus) plan(selected, spec);
  }
  return certain;
}

/// Whether a reference of the document means the GPU: by its name, or as the first of one.
[[nodiscard]] bool is_named(const SelectedGpu& gpu, std::string_view reference);

/// "gpu[left].FIELD", the address in plans, and "gpu[0000:41:00.0].FIELD", what ownership knows it by.
[[nodiscard]] std::string gpu_address(const SelectedGpu& gpu, std::string_view field);
[[nodiscard]] std::string gpu_object(const Gpu& gpu, std::string_view field);
/// The address in such an object of this field; nothing: it is another object.
[[nodiscard]] std::optional<PciAddress> gpu_of_object(std::string_view object, std::string_view field);
/// For `Claim::before`, beside what the kind puts in: which GPU it was. Nothing is given back to another.
[[nodiscard]] std::string identity_of(const Gpu& gpu);
/// Whether that may be the GPU: the same PCI ids, and the same UUID where both are known.
[[nodiscard]] bool is_identity_of(std::string_view recorded, const Gpu& gpu);

}  // namespace gpuhost
