#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "catalog/boards.hpp"
#include "host/commands.hpp"
#include "host/gpus.hpp"
#include "host/sim/gpu/mig_model.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_clock.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_nvidia.hpp"
#include "host/sim/sim_vgpu_types.hpp"

namespace gpuhost {

/// How a GPU with this PCI device id can be partitioned, as far as the catalogue knows all of a profile.
[[nodiscard]] MigHardware mig_hardware_of(std::uint64_t device_id);

/// The GPUs of a simulated host as NVIDIA's management library shows and changes them. Not for several
/// threads.
class SimGpus {
 public:
  using Alive = MigModel::Alive;

  SimGpus(HostFile& host, const SimDeviceTree& tree, const SimVgpuTypes& types, SimNvidia& nvidia,
          SimClock& clock, Alive alive)
      : host_(host), tree_(tree), types_(types), nvidia_(nvidia), clock_(clock), alive_(std::move(alive)) {}

  // As in GpuReader and GpuWriter.
  [[nodiscard]] Result<GpuReports> gpus() const;
  Result<GpuSwitch> set_mig_mode(const PciAddress& address, bool on);
  Result<GpuSwitch> set_ecc(const PciAddress& address, bool on);
  Result<void> set_scheduler(const PciAddress& address, const VgpuScheduler& scheduler);
  Result<void> set_mixed_sizes(const PciAddress& address, bool on);
  Result<GpuInstance> create_gpu_instance(const PciAddress& address, unsigned profile,
                                          MigPlacement placement);
  Result<void> destroy_gpu_instance(const PciAddress& address, unsigned id);
  Result<ComputeInstance> create_compute_instance(const PciAddress& address, unsigned gpu_instance,
                                                  unsigned slices);
  Result<void> destroy_compute_instance(const PciAddress& address, unsigned gpu_instance, unsigned id);

  /// nvidia-smi --gpu-reset -i ADDRESS, the only thing that it does here.
  CommandResult nvidia_smi(const std::vector<std::string>& arguments);

  /// The host was off: pending switches take effect, instances are gone.
  void boot();

 private:
  /// unavailable, as GpuReader says, or nothing.
  [[nodiscard]] Result<void> reach() const;
  [[nodiscard]] MigHardware hardware_of(const PciAddress& address, const HostFile::Gpu& gpu) const;
  [[nodiscard]] GpuReport report_of(const PciAddress& address, const HostFile::Gpu& gpu) const;
  [[nodiscard]] Observed<VgpuScheduler> scheduler_of(const PciAddress& address,
                                                     const HostFile::Gpu& gpu) const;
  [[nodiscard]] Observed<bool> mixed_sizes_of(const PciAddress& address, const HostFile::Gpu& gpu) const;
  /// Null: no vGPU manager has it, or the catalogue does not know the board.
  [[nodiscard]] const catalog::Board* vgpu_board_of(const PciAddress& address,
                                                    const HostFile::Gpu& gpu) const;
  [[nodiscard]] Observed<Mig> mig_of(const PciAddress& address, const HostFile::Gpu& gpu) const;
  /// Whether anybody keeps the GPU from being reset.
  [[nodiscard]] bool is_held(const PciAddress& address) const;
  [[nodiscard]] Result<HostFile::Gpu*> seen(const PciAddress& address);
  /// What `act` makes of the model of the GPU, or the refusal in words.
  template <class Act>
  auto partition(const PciAddress& address, const char* what, Act act)
      -> Result<typename std::invoke_result_t<Act, MigModel&>::value_type>;
  static void restart(HostFile::Gpu& gpu, const MigHardware& hardware);

  HostFile& host_;
  const SimDeviceTree& tree_;
  const SimVgpuTypes& types_;
  SimNvidia& nvidia_;
  SimClock& clock_;
  Alive alive_;
};

}  // namespace gpuhost
