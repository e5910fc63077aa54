#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/boards.hpp"
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
  std::vector<const MediatedDevice*> removed;  ///< goes before anything is made there

  /// "GPU left (Tesla M60, 0000:06:00.0)", for messages.
  [[nodiscard]] std::string title() const;
  [[nodiscard]] std::string address(std::string_view field) const { return gpu_address(selected, field); }
  [[nodiscard]] std::optional<KnownType> type_of(const WantedVgpu& vgpu) const {
    return known_type(supported, board, vgpu.spec->type);
  }
  /// Its vGPUs are made on virtual functions, or will be when it has some.
  [[nodiscard]] bool uses_functions() const;
  /// What it offers will show when a step before has bound its driver or made its virtual functions.
  [[nodiscard]] bool is_yet_to_come() const;
};

}  // namespace gpuhost
