#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/pci_address.hpp"
#include "catalog/boards.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_device_tree.hpp"

namespace gpuhost {

/// A vGPU type under the number that the simulated driver gives it.
struct SimVgpuType {
  unsigned id = 0;
  const catalog::VgpuType* type = nullptr;
};

/// All types of the board with these PCI ids, as the catalogue has them; none for one that it does not know.
[[nodiscard]] std::vector<SimVgpuType> known_vgpu_types(std::uint64_t device, std::uint64_t subsystem);

/// A vGPU that is there.
struct SimVgpu {
  const catalog::VgpuType* type = nullptr;
  std::optional<unsigned> gpu_instance;
  std::optional<unsigned> placement = {};  ///< in mixed-size mode
  bool operator==(const SimVgpu&) const = default;
};

/// The placement that vgpu_params ask for. Source: NVIDIA vGPU software user guide, "Setting vGPU Plugin
/// Parameters": vgpu-placement-id.
[[nodiscard]] std::optional<unsigned> asked_placement(std::string_view parameters);

/// What vGPUs the driver of a simulated host can make of which GPU.
/// Sources: NVIDIA vGPU software user guide, "Valid Time-Sliced Virtual GPU Configurations on a Single GPU";
/// NVIDIA AI Enterprise vGPU user guide, 6.2.10, on what is creatable with MIG.
class SimVgpuTypes {
 public:
  using Present = std::vector<SimVgpu>;

  SimVgpuTypes(const HostFile& host, const SimDeviceTree& tree) : host_(host), tree_(tree) {}

  /// All of a physical GPU's board, whatever is creatable, under the numbers of the driver that was recorded.
  [[nodiscard]] std::vector<SimVgpuType> of(const PciAddress& gpu) const;

  /// How many more fit beside those there are. Time-sliced, in equal-size mode: all on a physical GPU have
  /// the same framebuffer; in mixed-size mode as many as find a placement. With MIG on: types of its
  /// instances alone, as many as those have room for.
  [[nodiscard]] unsigned room(const PciAddress& gpu, const catalog::VgpuType& type,
                              const Present& present) const;
  /// Where the driver puts the next one in mixed-size mode; nothing: in no such mode, or nowhere.
  [[nodiscard]] std::optional<unsigned> placement_for(const PciAddress& gpu, const catalog::VgpuType& type,
                                                      const Present& present) const;
  /// Whether one of those there are could lie at the placement.
  [[nodiscard]] bool may_lie(const PciAddress& gpu, const SimVgpu& vgpu, Present present,
                             unsigned placement) const;
  /// The GPU instance on which the driver makes the next one; nothing: it is time-sliced on the whole GPU, or
  /// no instance has room.
  [[nodiscard]] std::optional<unsigned> instance_for(const PciAddress& gpu, const catalog::VgpuType& type,
                                                     const Present& present) const;

 private:
  [[nodiscard]] bool has_mig(const PciAddress& gpu) const;
  [[nodiscard]] bool mixes_sizes(const PciAddress& gpu) const;
  /// That a vGPU of the type could have beside those there are, in mixed-size mode.
  [[nodiscard]] std::vector<unsigned> free_placements(const PciAddress& gpu, const catalog::VgpuType& type,
                                                      const Present& present) const;
  /// Room on each GPU instance of the type's profile, by id.
  [[nodiscard]] std::map<unsigned, unsigned> room_on_instances(const PciAddress& gpu,
                                                               const catalog::VgpuType& type,
                                                               const Present& present) const;

  const HostFile& host_;
  const SimDeviceTree& tree_;
};

}  // namespace gpuhost
