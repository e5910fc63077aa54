#pragma once

#include <map>
#include <string>

#include "base/observed.hpp"
#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/mig.hpp"

namespace gpuhost {

/// How vGPUs that share the compute time of a GPU take turns.
struct VgpuScheduler {
  enum class Policy { best_effort, equal_share, fixed_share };
  Policy policy = Policy::best_effort;
  /// Each turn makes up for what the last ones ran over ("strict round robin"); with best_effort it says
  /// nothing.
  bool round_robin = true;
  unsigned timeslice_ns = 0;  ///< 0: the driver's own
  unsigned averaging = 0;  ///< turns over which overrun is made up for, with round_robin; 0: the driver's own
  bool operator==(const VgpuScheduler&) const = default;
};

/// What NVIDIA's driver tells of a GPU that it has.
struct GpuReport {
  std::string uuid;              ///< "GPU-…"
  std::string product;           ///< "NVIDIA A100-PCIE-40GB"
  Observed<std::string> serial;  ///< absent: the board has none
  Observed<GpuSwitch> ecc;       ///< absent: its memory has no ECC that can be switched
  Observed<Mig> mig;             ///< absent: it cannot be partitioned
  /// Absent: it is no GPU for vGPUs, by its age or its driver, or MIG takes the place of turns.
  Observed<VgpuScheduler> scheduler;
  /// Whether vGPUs of several sizes may share it; absent: it has no such mode.
  Observed<bool> mixed_sizes;
  /// Whether the driver holds a licence for virtual workstations (vWS) on it; absent: it asks for none.
  Observed<bool> workstation_licensed;
  /// Names of all vGPU types that the driver can make on it, whatever is there now, by the number that they
  /// have with this driver. Absent: none, as without NVIDIA's vGPU manager.
  Observed<std::map<unsigned, std::string>> vgpu_types;
  bool operator==(const GpuReport&) const = default;
};

using GpuReports = std::map<PciAddress, GpuReport>;

/// The GPUs of this host as NVIDIA's driver sees them. Nothing is loaded, and no device node made, to look.
class GpuReader {
 public:
  virtual ~GpuReader() = default;
  /// All that the driver has; one on vfio-pci is not among them. unavailable: the driver is not loaded, or
  /// cannot be asked.
  [[nodiscard]] virtual Result<GpuReports> gpus() const = 0;
};

/// What is done through NVIDIA's driver. Each verb is done when it reads back. not_found: the driver has no
/// such GPU, or the GPU no such instance. denied: needs root. unsupported: the GPU cannot do it.
class GpuWriter {
 public:
  virtual ~GpuWriter() = default;

  /// Sets the MIG mode, and yields what it is then: still pending while somebody holds the GPU, else active,
  /// by a reset where the GPU needs one. Whatever instances there were are gone with a mode that became
  /// active.
  virtual Result<GpuSwitch> set_mig_mode(const PciAddress& gpu, bool on) = 0;

  /// Sets the ECC mode that the next reset or boot puts in force, and yields what it is then.
  virtual Result<GpuSwitch> set_ecc(const PciAddress& gpu, bool on) = 0;

  /// Until the driver is unloaded. unsupported: as GpuReport::scheduler says, or a vGPU is on the GPU.
  virtual Result<void> set_scheduler(const PciAddress& gpu, const VgpuScheduler& scheduler) = 0;

  /// Until the GPU is reset or its virtual functions change. busy: a vGPU is on it.
  virtual Result<void> set_mixed_sizes(const PciAddress& gpu, bool on) = 0;

  /// Makes a GPU instance just there. busy: another one is in its way. invalid: the profile may not lie
  /// there.
  virtual Result<GpuInstance> create_gpu_instance(const PciAddress& gpu, unsigned profile,
                                                  MigPlacement placement) = 0;
  /// Destroys it with its compute instances. busy: processes or vGPUs use it; nothing is destroyed then.
  virtual Result<void> destroy_gpu_instance(const PciAddress& gpu, unsigned id) = 0;

  /// Makes a compute instance of so many compute slices. busy: there is no room for it.
  virtual Result<ComputeInstance> create_compute_instance(const PciAddress& gpu, unsigned gpu_instance,
                                                          unsigned slices) = 0;
  virtual Result<void> destroy_compute_instance(const PciAddress& gpu, unsigned gpu_instance,
                                                unsigned id) = 0;
};

}  // namespace gpuhost
