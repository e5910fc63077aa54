#include "host/real/nvml/library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace gpuhost::nvml {

template <class... Arguments>
void Function<Arguments...>::find_in(void* library) {
  if (call_ == nullptr) call_ = reinterpret_cast<Pointer>(::dlsym(library, name_));
}

Result<std::unique_ptr<Library>> Library::load(const std::string& name) {
  void* const mapped = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (mapped == nullptr)
    return fail(ErrorKind::unavailable,
                fmt::format("cannot load NVIDIA's management library: {}", ::dlerror()),
                "install the library that belongs to NVIDIA's driver; with a vGPU manager it comes along");
  std::unique_ptr<Library> library(new Library(mapped));
  if ((library->init.exists() || library->init_with_flags.exists()) && library->shutdown.exists() &&
      library->device_count.exists() && library->device_by_index.exists())
    return library;
  return fail(ErrorKind::unavailable, fmt::format("{} is no management library of NVIDIA's", name));
}

Library::Library(void* mapped) : mapped_(mapped) {
  const auto find = [&](auto&... functions) { (functions.find_in(mapped), ...); };
  find(init_with_flags, init, shutdown, device_count, device_by_index, device_by_bus_id, pci_info, uuid,
       serial, product, memory, ecc_mode, set_ecc_mode, scheduler, set_scheduler, mixed_sizes,
       set_mixed_sizes, licensable_features, mig_mode, set_mig_mode, profile_info, versioned_profile_info,
       placements, gpu_instances, gpu_instance_by_id, gpu_instance_info, create_gpu_instance,
       destroy_gpu_instance, compute_profile_info, compute_instances, compute_instance_by_id,
       compute_instance_info, create_compute_instance, destroy_compute_instance, compute_processes,
       active_vgpus, gpu_instance_of_vgpu, supported_vgpus, vgpu_type_name);
  // Older libraries have them under other names, with the same arguments. Source: updateVersionedSymbols in
  // NVIDIA/go-nvml pkg/nvml/lib.go.
  if (!placements.exists()) {
    placements =
        Function<Device, unsigned, Placement*, unsigned*>("nvmlDeviceGetGpuInstancePossiblePlacements");
    find(placements);
  }
  if (!compute_processes.exists()) {
    compute_processes = Function<Device, unsigned*, ProcessInfo*>("nvmlDeviceGetComputeRunningProcesses_v2");
    find(compute_processes);
  }
  error_string_ = reinterpret_cast<const char* (*)(Return)>(::dlsym(mapped, "nvmlErrorString"));
}

Library::~Library() {
  ::dlclose(mapped_);
}

std::string Library::text_of(Return value) const {
  const char* const text = error_string_ == nullptr ? nullptr : error_string_(value);
  return text == nullptr ? fmt::format("error {}", static_cast<int>(value)) : text;
}

}  // namespace gpuhost::nvml
