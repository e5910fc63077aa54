#pragma once

#include <cstddef>

// What gpuhost calls of NVIDIA's management library, as its own header declares it, and no more.
// Source: nvml.h of NVML 12.2 and 13, NVIDIA/go-nvml gen/nvml/nvml.h.

// The names are NVIDIA's.
// NOLINTBEGIN(readability-identifier-naming)
namespace gpuhost::nvml {

/// nvmlReturn_t. An int, since newer libraries return what this list does not have.
enum Return : int {
  success = 0,
  uninitialized = 1,
  invalid_argument = 2,
  not_supported = 3,
  no_permission = 4,
  not_found = 6,
  insufficient_size = 7,
  driver_not_loaded = 9,
  timeout = 10,
  function_not_found = 13,
  gpu_is_lost = 15,
  reset_required = 16,
  lib_rm_version_mismatch = 18,
  in_use = 19,
  insufficient_resources = 23,
  argument_version_mismatch = 25,
  unknown = 999,
};

// Handles, valid until the library is shut down, their GPU reset, or their instance destroyed.
using Device = struct nvmlDevice_st*;
using GpuInstanceHandle = struct nvmlGpuInstance_st*;
using ComputeInstanceHandle = struct nvmlComputeInstance_st*;
using VgpuInstanceHandle = unsigned;
using VgpuTypeId = unsigned;

/// nvmlInitWithFlags: having no GPU is no failure.
inline constexpr unsigned init_no_gpus = 1;
inline constexpr std::size_t name_size = 96;    ///< NVML_DEVICE_NAME_V2_BUFFER_SIZE
inline constexpr std::size_t uuid_size = 96;    ///< NVML_DEVICE_UUID_V2_BUFFER_SIZE
inline constexpr std::size_t serial_size = 30;  ///< NVML_DEVICE_SERIAL_BUFFER_SIZE
/// NVML_GPU_INSTANCE_PROFILE_* and NVML_COMPUTE_INSTANCE_PROFILE_* begin at 0 and are followed by this one
/// for all engines shared.
inline constexpr unsigned shared_engines = 0;
/// In place of the id of a GPU instance: there is none.
inline constexpr unsigned no_instance = 0xFFFFFFFF;

struct PciInfo {  // nvmlPciInfo_t of nvmlDeviceGetPciInfo_v3
  char bus_id_legacy[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned device_id;
  unsigned subsystem_id;
  char bus_id[32];
};

struct Memory {  // nvmlMemory_t, bytes
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct Placement {  // nvmlGpuInstancePlacement_t, nvmlComputeInstancePlacement_t
  unsigned start;
  unsigned size;
};

struct GpuInstanceProfileInfo {  // nvmlGpuInstanceProfileInfo_t
  unsigned id;
  unsigned is_p2p_supported;
  unsigned slices;
  unsigned instances;
  unsigned multiprocessors;
  unsigned copy_engines;
  unsigned decoders;
  unsigned encoders;
  unsigned jpeg_engines;
  unsigned ofa_engines;
  unsigned long long memory_mb;
};

struct GpuInstanceProfileInfoV2 {  // nvmlGpuInstanceProfileInfo_v2_t
  unsigned version;
  unsigned id;
  unsigned is_p2p_supported;
  unsigned slices;
  unsigned instances;
  unsigned multiprocessors;
  unsigned copy_engines;
  unsigned decoders;
  unsigned encoders;
  unsigned jpeg_engines;
  unsigned ofa_engines;
  unsigned long long memory_mb;
  char name[name_size];
};

struct GpuInstanceProfileInfoV3 {  // nvmlGpuInstanceProfileInfo_v3_t
  unsigned version;
  unsigned id;
  unsigned slices;
  unsigned instances;
  unsigned multiprocessors;
  unsigned copy_engines;
  unsigned decoders;
  unsigned encoders;
  unsigned jpeg_engines;
  unsigned ofa_engines;
  unsigned long long memory_mb;
  char name[name_size];
  unsigned capabilities;
};

struct GpuInstanceInfo {  // nvmlGpuInstanceInfo_t
  Device device;
  unsigned id;
  unsigned profile_id;
  Placement placement;
};

struct ComputeInstanceProfileInfo {  // nvmlComputeInstanceProfileInfo_t
  unsigned id;
  unsigned slices;
  unsigned instances;
  unsigned multiprocessors;
  unsigned copy_engines;
  unsigned decoders;
  unsigned encoders;
  unsigned jpeg_engines;
  unsigned ofa_engines;
};

struct ComputeInstanceInfo {  // nvmlComputeInstanceInfo_t
  Device device;
  GpuInstanceHandle gpu_instance;
  unsigned id;
  unsigned profile_id;
  Placement placement;
};

struct ProcessInfo {  // nvmlProcessInfo_t of nvmlDeviceGetComputeRunningProcesses_v3
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance_id;
  unsigned compute_instance_id;
};

/// NVML_VGPU_SCHEDULER_POLICY_*
enum SchedulerPolicy : unsigned { best_effort = 1, equal_share = 2, fixed_share = 3 };
/// NVML_VGPU_SCHEDULER_ARR_*: adaptive round robin, the strict round robin of the registry key RmPVMRL.
enum RoundRobin : unsigned { round_robin_default = 0, round_robin_off = 1, round_robin_on = 2 };

struct PlainParameters {
  unsigned timeslice_ns;
};

struct RoundRobinState {
  unsigned averaging;
  unsigned timeslice_ns;
};

struct RoundRobinSetting {
  unsigned averaging;
  unsigned frequency_hz;
};

/// nvmlVgpuSchedulerGetState_t. The union of its parameters is told apart by round_robin.
struct SchedulerState {
  unsigned policy;
  unsigned round_robin;
  union {
    RoundRobinState with_round_robin;
    PlainParameters plain;
  };
};

/// nvmlVgpuSchedulerSetState_t: as above, but for the frequency.
struct SchedulerSetting {
  unsigned policy;
  unsigned round_robin;
  union {
    RoundRobinSetting with_round_robin;
    PlainParameters plain;
  };
};

struct HeterogeneousMode {  // nvmlVgpuHeterogeneousMode_v1_t
  unsigned version;
  unsigned mode;
};

/// NVML_GRID_LICENSE_FEATURE_CODE_NVIDIA_RTX: virtual workstations (vWS).
inline constexpr int workstation_feature = 2;
inline constexpr std::size_t most_licensable_features = 3;  ///< NVML_GRID_LICENSE_FEATURE_MAX_COUNT
inline constexpr std::size_t license_text_size = 128;       ///< NVML_GRID_LICENSE_BUFFER_SIZE

struct LicenseExpiry {  // nvmlGridLicenseExpiry_t
  unsigned year;
  unsigned short month;
  unsigned short day;
  unsigned short hour;
  unsigned short minute;
  unsigned short second;
  unsigned char status;
};

struct LicensableFeature {  // nvmlGridLicensableFeature_t of nvmlDeviceGetGridLicensableFeatures_v4
  int code;
  unsigned is_licensed;
  char info[license_text_size];
  char product[license_text_size];
  unsigned is_enabled;
  LicenseExpiry expiry;
};

struct LicensableFeatures {  // nvmlGridLicensableFeatures_t
  int is_supported;
  unsigned count;
  LicensableFeature features[most_licensable_features];
};

/// NVML_STRUCT_VERSION: what a struct with a version says of itself.
template <class T>
constexpr unsigned struct_version(unsigned number) {
  return static_cast<unsigned>(sizeof(T)) | number << 24U;
}

static_assert(sizeof(PciInfo) == 68);
static_assert(sizeof(GpuInstanceProfileInfo) == 48);
static_assert(sizeof(GpuInstanceProfileInfoV2) == 152);
static_assert(sizeof(GpuInstanceProfileInfoV3) == 152);
static_assert(struct_version<GpuInstanceProfileInfoV3>(3) == 0x03000098);
static_assert(sizeof(GpuInstanceInfo) == 24);
static_assert(sizeof(ComputeInstanceProfileInfo) == 36);
static_assert(sizeof(ProcessInfo) == 24);
static_assert(sizeof(SchedulerState) == 16 && sizeof(SchedulerSetting) == 16);
static_assert(sizeof(LicensableFeature) == 284 && sizeof(LicensableFeatures) == 860);
static_assert(struct_version<HeterogeneousMode>(1) == 0x01000008);

}  // namespace gpuhost::nvml
// NOLINTEND(readability-identifier-naming)
