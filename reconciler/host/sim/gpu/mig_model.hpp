#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <vector>

#include "host/mig.hpp"

namespace gpuhost {

/// Why a GPU refuses, as its driver tells apart: NVML_ERROR_INVALID_ARGUMENT, _NOT_SUPPORTED, _IN_USE,
/// _INSUFFICIENT_RESOURCES, _NOT_FOUND.
enum class MigRefusal { invalid, unsupported, in_use, insufficient_resources, not_found };

template <class T>
class [[nodiscard]] MigAnswer : public std::expected<T, MigRefusal> {
 public:
  using std::expected<T, MigRefusal>::expected;
};

/// What a GPU is, as far as partitioning goes.
struct MigHardware {
  std::vector<GpuInstanceProfile> profiles;  ///< by id; empty: it cannot be partitioned
  /// Whether its firmware keeps the mode over a reset and a boot: GA100 does, Hopper and later do not.
  /// Source: NVIDIA MIG user guide, "Enable MIG Mode".
  bool stores_mode = false;
  bool operator==(const MigHardware&) const = default;
};

/// What has been made of it.
struct MigState {
  GpuSwitch mode;
  std::vector<GpuInstance> instances;  ///< by id; processes that have ended may still stand in them
  bool operator==(const MigState&) const = default;
};

/// A GPU that is partitioned as NVIDIA's hardware and driver do it. It holds the rules and refers to the
/// state. Sources: NVIDIA MIG user guide; the comments of nvml.h, NVIDIA/go-nvml gen/nvml/nvml.h.
class MigModel {
 public:
  using Alive = std::function<bool(int pid)>;

  /// `alive` tells which of the processes in the state still run.
  MigModel(const MigHardware& hardware, MigState& state, Alive alive)
      : hardware_(hardware), state_(state), alive_(std::move(alive)) {}

  /// The driver resets a GPU that nobody holds to activate the mode, and its instances are gone. in_use: it
  /// stays pending.
  MigAnswer<void> set_mode(bool on, bool held);
  /// What a reset of the GPU and a boot of the host do.
  void restart();
  /// What taking the GPU from its driver does.
  void lose_instances() { state_.instances.clear(); }

  /// At the placement, or at the first that is free. insufficient_resources: another instance lies there, or
  /// there are as many of this profile, or as many compute slices taken, as can be.
  MigAnswer<GpuInstance*> create(unsigned profile, std::optional<MigPlacement> placement);
  /// in_use: compute instances, processes or vGPUs are on it.
  MigAnswer<void> destroy(unsigned id);
  MigAnswer<ComputeInstance*> create_compute(unsigned gpu_instance, unsigned slices,
                                             std::optional<MigPlacement> placement);
  /// in_use: processes are on the GPU instance; which of its compute instances they use is not told apart.
  MigAnswer<void> destroy_compute(unsigned gpu_instance, unsigned id);

  /// How many more of the profile could be made one after another, each at the first free place.
  [[nodiscard]] MigAnswer<unsigned> room(unsigned profile) const;
  [[nodiscard]] const GpuInstanceProfile* profile(unsigned id) const;
  [[nodiscard]] GpuInstance* instance(unsigned id);
  /// The instance with only those processes that still run.
  [[nodiscard]] GpuInstance shown(const GpuInstance& instance) const;

 private:
  [[nodiscard]] bool is_free(const GpuInstanceProfile& profile, MigPlacement placement) const;
  [[nodiscard]] unsigned id_of(MigPlacement placement) const;

  const MigHardware& hardware_;
  MigState& state_;
  Alive alive_;
};

/// Where compute instances of so many slices may begin in a GPU instance; none: it takes no such.
/// Source: NVIDIA MIG user guide, `nvidia-smi mig -lcip` and `-lcipp` for each GPU instance.
[[nodiscard]] std::vector<MigPlacement> compute_placements(unsigned gpu_instance_slices, unsigned slices);

}  // namespace gpuhost
