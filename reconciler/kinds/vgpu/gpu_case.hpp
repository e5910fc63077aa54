#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/boards.hpp"
#include "host/mig.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/vgpu/kind.hpp"
#include "kinds/vgpu/wanted.hpp"

namespace gpuhost {

/// One GPU of the document: what it shall have, and what there is.
struct GpuCase {
  const VgpuState& state;
  SelectedGpu selected;
  const Gpu& gpu;
  const SupportedTypes& supported;
  const catalog::Board* board = nullptr;  ///< null: not in the catalogue
  std::vector<WantedVgpu> wanted;
  std::vector<const PresentVgpu*> removed;  ///< goes before anything is made there
  /// "GPU left (Tesla M60, 0000:06:00.0)", for messages.
  [[nodiscard]] std::string title() const;
  [[nodiscard]] std::string address(std::string_view field) const { return gpu_address(selected, field); }
  /// What the GPU tells of MIG; null: nothing.
  const Mig* mig = nullptr;
  /// MIG instances that the document lists; null: it leaves them to others.
  const std::vector<VgpuSpec::Instances>* instances = nullptr;

  bool manages_mig = false;              ///< the document says something of MIG
  std::optional<bool> wants_mixed = {};  ///< whether sizes shall mix, where the document says it
  std::optional<bool> mixed_now = {};    ///< whether they do; nothing: the GPU has no such mode now

  /// vGPUs of several sizes may be on it when they are made.
  [[nodiscard]] bool is_mixed() const { return wants_mixed.value_or(mixed_now.value_or(false)); }
  /// For which it must be without vGPUs.
  [[nodiscard]] bool switches_sizes() const { return wants_mixed && mixed_now && *wants_mixed != *mixed_now; }

  /// MIG is on, or about to be, and the document's list of vGPUs or of instances has it off.
  [[nodiscard]] bool turns_mig_off() const;
  /// The profile as the GPU spells it.
  [[nodiscard]] std::string profile_named(std::string_view name) const;
  [[nodiscard]] std::optional<KnownType> type_of(const WantedVgpu& vgpu) const {
    return known_type(supported, board, vgpu.spec->type);
  }
  /// Its vGPUs are made on virtual functions, or will be when it has some.
  [[nodiscard]] bool uses_functions() const;
  /// Its vGPUs are functions themselves, or will be.
  [[nodiscard]] bool by_vendor_framework() const;
  /// What it offers will show when a step before has bound its driver or made its virtual functions.
  [[nodiscard]] bool is_yet_to_come() const;
};

}  // namespace gpuhost
