#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/pci_address.hpp"
#include "host/real/nvml/declarations.hpp"
#include "host/sim/gpu/mig_model.hpp"

/// What the library for tests knows, in a file that several processes share: one reads, acts and writes under
/// a lock on it. README.md beside this says what stands in it.
namespace gpuhost::fake_nvml {

/// A GPU instance by its id, or with the id of a compute instance in it.
using Part = std::pair<unsigned, std::optional<unsigned>>;

struct FakeGpu {
  PciAddress address;
  std::string uuid;
  std::string name;
  std::optional<std::string> serial;
  unsigned device_id = 0;
  std::uint64_t memory_bytes = 0;
  std::optional<GpuSwitch> ecc;
  std::map<unsigned, std::string> vgpu_types;  ///< names by number; none: it has no vGPUs
  MigHardware hardware;
  std::map<unsigned, unsigned> profile_of_kind;  ///< NVML's enumeration to ids
  MigState mig;
  std::optional<nvml::SchedulerState> scheduler;  ///< nothing: it is no GPU for vGPUs
  std::optional<bool> mixed_sizes;                ///< nothing: it has no such mode
  std::optional<bool> workstation_licensed;       ///< nothing: the driver asks for no licence
  unsigned vgpus = 0;                             ///< time-sliced ones, in use or not
  bool held = false;                              ///< somebody else has it open
  /// Of a GPU that a kernel module has: numbers that tell one binding and one reset from the next. 0: not
  /// bound.
  unsigned bound = 0;
  unsigned resets = 0;
  /// Handles that are valid: a reset and a destruction make them void, and none is given twice.
  std::uint64_t handle = 0;
  std::map<Part, std::uint64_t> parts;

  [[nodiscard]] MigModel model();
};

struct Fault {
  std::string function;
  unsigned nth = 1;  ///< which call from now, 1: the next
  int value = 0;     ///< what it returns instead
};

struct FakeDriver {
  bool privileged = true;       ///< whether the caller may do what root may
  unsigned struct_version = 3;  ///< newest version of structs that is taken
  std::vector<FakeGpu> gpus;
  std::vector<Fault> faults;
  std::vector<int> sessions;  ///< pids that have the library open, once for each time
  unsigned opened = 0;        ///< how often it was opened
  std::uint64_t next_handle = 1;

  /// Gives new instances a handle, and forgets those of gone ones. To be called after each change.
  void renew_handles();
  /// A reset of one GPU.
  static void restart(FakeGpu& gpu);
};

[[nodiscard]] FakeDriver read_driver(const Json& json);
[[nodiscard]] Json write_driver(const FakeDriver& driver);

/// The state file of $GPUHOST_NVML_STATE, or what the kernel keeps, locked while this lives. Written back by
/// save().
class Locked {
 public:
  Locked();
  ~Locked();
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  /// False: there is no such file, or it cannot be read.
  [[nodiscard]] bool valid() const { return valid_; }
  FakeDriver& driver() { return driver_; }
  /// Whether it is the kernel that has the GPUs.
  [[nodiscard]] bool in_kernel() const { return in_kernel_; }
  void save();

 private:
  int file_ = -1;
  bool valid_ = false;
  bool in_kernel_ = false;
  std::string text_;  ///< what the file held
  FakeDriver driver_;
  std::vector<FakeGpu> unbound_;
};

}  // namespace gpuhost::fake_nvml
