#pragma once

#include <optional>
#include <span>
#include <vector>

#include "host/mig.hpp"

namespace gpuhost {

/// One GPU instance that shall be.
struct WantedInstance {
  unsigned profile = 0;           ///< GpuInstanceProfile::id
  std::optional<unsigned> start;  ///< first memory slice; nothing: any
  bool operator==(const WantedInstance&) const = default;
};

/// How a GPU comes to have the wanted instances and no others.
struct MigLayout {
  struct Place {
    MigPlacement placement;
    std::optional<unsigned> kept;  ///< GpuInstance::id of the one that is there; nothing: it is to be created
    bool operator==(const Place&) const = default;
  };
  std::vector<Place> places;        ///< of each wanted instance, in the order of those
  std::vector<unsigned> destroyed;  ///< ids, ascending
  bool operator==(const MigLayout&) const = default;
};

enum class BusyInstances { stay, may_go };

/// The layout that destroys the fewest busy instances, then the fewest idle ones, then creates the fewest; of
/// equal ones that with the largest instances at the lowest slices. Exact: nothing means that none fits,
/// be it since busy instances stay. Wanted and present profiles are among `profiles`.
[[nodiscard]] std::optional<MigLayout> solve_layout(std::span<const GpuInstanceProfile> profiles,
                                                    std::span<const GpuInstance> present,
                                                    std::span<const WantedInstance> wanted,
                                                    BusyInstances busy = BusyInstances::stay);

/// All sets of instances that an empty GPU can have and to which none can be added, each with the largest
/// first. Of `profiles` only: leave out those that differ in attributes to see shapes.
[[nodiscard]] std::vector<std::vector<WantedInstance>> full_layouts(
    std::span<const GpuInstanceProfile> profiles);

/// Compute slices that instances share, and memory slices in which placements are counted: those of the
/// largest profile.
[[nodiscard]] unsigned compute_slices_of(std::span<const GpuInstanceProfile> profiles);
[[nodiscard]] unsigned memory_slices_of(std::span<const GpuInstanceProfile> profiles);

/// Null: the GPU has no such profile.
[[nodiscard]] const GpuInstanceProfile* find_profile(std::span<const GpuInstanceProfile> profiles,
                                                     unsigned id);

}  // namespace gpuhost
