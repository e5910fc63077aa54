#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "document/located.hpp"
#include "engine/kind.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// How a GPU is cut into MIG instances.
struct MigSpec {
  enum class Mode {
    exact,      ///< MIG on, with exactly these instances
    automatic,  ///< what the entry's vGPUs need
    disabled,   ///< MIG off
  };
  struct ComputeInstances {
    std::string profile;  ///< "1c.3g.20gb"
    unsigned count = 1;
  };
  struct GpuInstances {
    std::optional<Located<std::string>> name;
    std::string profile;  ///< "3g.20gb", "1g.10gb+me"
    unsigned count = 1;
    std::vector<unsigned> placement;  ///< first memory slices, one for each; empty: chosen by gpuhost
    /// Nothing: not managed in mode vgpu, one that fills the GPU instance in mode bare-metal.
    std::optional<std::vector<ComputeInstances>> compute;
  };

  Mode mode = Mode::exact;
  std::vector<GpuInstances> instances;
};

/// What an entry wants of MIG, said or implied.
struct MigWish {
  /// vGPUs of one type, from which `auto` derives instances.
  struct Vgpus {
    std::string type;
    unsigned count = 1;
  };
  MigSpec spec;
  /// Implied by mode passthrough: off, where the board would keep the mode for the guest.
  bool only_if_kept = false;
  /// Virtual functions will be on the GPU: instances are made on top of them.
  bool functions = false;
  /// Instances of which the document says no `compute` have one that fills them.
  bool fills_instances = false;
  std::vector<Vgpus> vgpus;
};

/// MIG mode and GPU instances. The mode is not undone by being left out of the document, but by `release`.
///
/// Facts: see gpu_facts::mig_mode, with_instance and without_instances; and its own, "gpu/ADDRESS" "without
/// GPU instance N". Offered: instances that the document has made are made again where they were.
[[nodiscard]] std::unique_ptr<Kind> make_mig(std::vector<ForGpus<MigWish>> wishes, Omitted omitted);

}  // namespace gpuhost
