#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "host/real/nvml/declarations.hpp"

namespace gpuhost::nvml {

/// A function of NVIDIA's library by its name. Older and newer libraries lack some.
template <class... Arguments>
class Function {
 public:
  using Pointer = Return (*)(Arguments...);

  explicit Function(const char* name) : name_(name) {}

  [[nodiscard]] const char* name() const { return name_; }
  [[nodiscard]] bool exists() const { return call_ != nullptr; }
  void find_in(void* library);
  /// function_not_found if the library lacks it.
  Return operator()(Arguments... arguments) const {
    return call_ == nullptr ? Return::function_not_found : call_(arguments...);
  }

 private:
  const char* name_;
  Pointer call_ = nullptr;
};

/// NVIDIA's management library, mapped while this lives. Where a function has several versions that take the
/// same arguments, the newest that is there stands under its name.
class Library {
 public:
  /// unavailable: it cannot be loaded, or lacks what every version has.
  [[nodiscard]] static Result<std::unique_ptr<Library>> load(const std::string& name);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// What the library calls a return value: "In use by another client".
  [[nodiscard]] std::string text_of(Return value) const;

  Function<unsigned> init_with_flags{"nvmlInitWithFlags"};
  Function<> init{"nvmlInit_v2"};
  Function<> shutdown{"nvmlShutdown"};
  Function<unsigned*> device_count{"nvmlDeviceGetCount_v2"};
  Function<unsigned, Device*> device_by_index{"nvmlDeviceGetHandleByIndex_v2"};
  Function<const char*, Device*> device_by_bus_id{"nvmlDeviceGetHandleByPciBusId_v2"};
  Function<Device, PciInfo*> pci_info{"nvmlDeviceGetPciInfo_v3"};
  Function<Device, char*, unsigned> uuid{"nvmlDeviceGetUUID"};
  Function<Device, char*, unsigned> serial{"nvmlDeviceGetSerial"};
  Function<Device, char*, unsigned> product{"nvmlDeviceGetName"};
  Function<Device, Memory*> memory{"nvmlDeviceGetMemoryInfo"};
  Function<Device, unsigned*, unsigned*> ecc_mode{"nvmlDeviceGetEccMode"};
  Function<Device, unsigned> set_ecc_mode{"nvmlDeviceSetEccMode"};
  Function<Device, SchedulerState*> scheduler{"nvmlDeviceGetVgpuSchedulerState"};
  Function<Device, SchedulerSetting*> set_scheduler{"nvmlDeviceSetVgpuSchedulerState"};
  Function<Device, HeterogeneousMode*> mixed_sizes{"nvmlDeviceGetVgpuHeterogeneousMode"};
  Function<Device, const HeterogeneousMode*> set_mixed_sizes{"nvmlDeviceSetVgpuHeterogeneousMode"};
  Function<Device, LicensableFeatures*> licensable_features{"nvmlDeviceGetGridLicensableFeatures_v4"};
  Function<Device, unsigned*, unsigned*> mig_mode{"nvmlDeviceGetMigMode"};
  Function<Device, unsigned, Return*> set_mig_mode{"nvmlDeviceSetMigMode"};

  Function<Device, unsigned, GpuInstanceProfileInfo*> profile_info{"nvmlDeviceGetGpuInstanceProfileInfo"};
  /// Takes any of the structs with a version.
  Function<Device, unsigned, void*> versioned_profile_info{"nvmlDeviceGetGpuInstanceProfileInfoV"};
  Function<Device, unsigned, Placement*, unsigned*> placements{
      "nvmlDeviceGetGpuInstancePossiblePlacements_v2"};
  Function<Device, unsigned, GpuInstanceHandle*, unsigned*> gpu_instances{"nvmlDeviceGetGpuInstances"};
  Function<Device, unsigned, GpuInstanceHandle*> gpu_instance_by_id{"nvmlDeviceGetGpuInstanceById"};
  Function<GpuInstanceHandle, GpuInstanceInfo*> gpu_instance_info{"nvmlGpuInstanceGetInfo"};
  Function<Device, unsigned, const Placement*, GpuInstanceHandle*> create_gpu_instance{
      "nvmlDeviceCreateGpuInstanceWithPlacement"};
  Function<GpuInstanceHandle> destroy_gpu_instance{"nvmlGpuInstanceDestroy"};

  Function<GpuInstanceHandle, unsigned, unsigned, ComputeInstanceProfileInfo*> compute_profile_info{
      "nvmlGpuInstanceGetComputeInstanceProfileInfo"};
  Function<GpuInstanceHandle, unsigned, ComputeInstanceHandle*, unsigned*> compute_instances{
      "nvmlGpuInstanceGetComputeInstances"};
  Function<GpuInstanceHandle, unsigned, ComputeInstanceHandle*> compute_instance_by_id{
      "nvmlGpuInstanceGetComputeInstanceById"};
  Function<ComputeInstanceHandle, ComputeInstanceInfo*> compute_instance_info{
      "nvmlComputeInstanceGetInfo_v2"};
  Function<GpuInstanceHandle, unsigned, ComputeInstanceHandle*> create_compute_instance{
      "nvmlGpuInstanceCreateComputeInstance"};
  Function<ComputeInstanceHandle> destroy_compute_instance{"nvmlComputeInstanceDestroy"};

  Function<Device, unsigned*, ProcessInfo*> compute_processes{"nvmlDeviceGetComputeRunningProcesses_v3"};
  Function<Device, unsigned*, VgpuInstanceHandle*> active_vgpus{"nvmlDeviceGetActiveVgpus"};
  Function<VgpuInstanceHandle, unsigned*> gpu_instance_of_vgpu{"nvmlVgpuInstanceGetGpuInstanceId"};
  Function<Device, unsigned*, VgpuTypeId*> supported_vgpus{"nvmlDeviceGetSupportedVgpus"};
  Function<VgpuTypeId, char*, unsigned*> vgpu_type_name{"nvmlVgpuTypeGetName"};

 private:
  explicit Library(void* mapped);

  void* mapped_;
  const char* (*error_string_)(Return) = nullptr;
};

}  // namespace gpuhost::nvml
