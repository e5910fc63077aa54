#include <algorithm>

#include "nvml/call.hpp"

// How a GPU is partitioned, by the model that simulated hosts have too. The comments of nvml.h say what each
// function returns when: NVIDIA/go-nvml gen/nvml/nvml.h.

namespace gpuhost::fake_nvml {

namespace {

using nvml::Device;
using nvml::Placement;
using nvml::Return;

/// NVML_GPU_INSTANCE_PROFILE_COUNT of NVML 13, and NVML_COMPUTE_INSTANCE_PROFILE_COUNT.
constexpr unsigned gpu_kinds = 18;
constexpr unsigned compute_kinds = 8;
/// Slices of NVML_COMPUTE_INSTANCE_PROFILE_*, whose ids they are; the last is for media.
constexpr unsigned slices_of_kind[compute_kinds] = {1, 2, 3, 4, 7, 8, 6, 1};
constexpr unsigned media_kind = 7;

/// The profile of a kind; what is missing between others is not supported, what comes after all is invalid.
Return profile_of(const FakeGpu& gpu, unsigned kind, const GpuInstanceProfile*& profile) {
  if (gpu.hardware.profiles.empty()) return nvml::not_supported;
  if (kind >= gpu_kinds) return nvml::invalid_argument;
  const auto id = gpu.profile_of_kind.find(kind);
  if (id == gpu.profile_of_kind.end()) return nvml::not_supported;
  profile = &*std::ranges::find(gpu.hardware.profiles, id->second, &GpuInstanceProfile::id);
  return nvml::success;
}

template <class Info>
void fill(const GpuInstanceProfile& profile, Info& info) {
  info.id = profile.id;
  info.slices = profile.slices;
  info.instances = profile.most;
  info.memory_mb = profile.memory_mb;
}

template <class Info>
Return fill_named(const GpuInstanceProfile& profile, void* given) {
  auto& info = *static_cast<Info*>(given);
  const unsigned version = info.version;
  info = {};
  info.version = version;
  fill(profile, info);
  return give("MIG " + profile.name, info.name, sizeof info.name);
}

/// The two-call way of NVML: without a buffer how many there are, else they.
template <class Handle>
Return give_all(const std::vector<Handle>& all, Handle* buffer, unsigned* count) {
  if (count == nullptr) return nvml::invalid_argument;
  *count = static_cast<unsigned>(all.size());
  if (buffer != nullptr) std::ranges::copy(all, buffer);
  return nvml::success;
}

/// As above, but who gives too small a buffer is told so.
template <class T>
Return give_within(const std::vector<T>& all, T* buffer, unsigned* count) {
  if (count == nullptr) return nvml::invalid_argument;
  const bool fits = *count >= all.size();
  *count = static_cast<unsigned>(all.size());
  if (!fits) return nvml::insufficient_size;
  if (buffer != nullptr) std::ranges::copy(all, buffer);
  return nvml::success;
}

std::vector<Placement> shown(const std::vector<MigPlacement>& placements) {
  std::vector<Placement> all;
  for (const auto& at : placements) all.push_back({at.start, at.size});
  return all;
}

Return create(FakeDriver& driver, FakeGpu& gpu, unsigned profile, std::optional<MigPlacement> placement,
              nvml::GpuInstanceHandle* handle) {
  if (handle == nullptr) return nvml::invalid_argument;
  const auto made = gpu.model().create(profile, placement);
  if (!made) return meaning_of(made.error());
  const unsigned id = (*made)->id;
  driver.renew_handles();
  *handle = handle_of<nvml::GpuInstanceHandle>(gpu.parts.at({id, std::nullopt}));
  return nvml::success;
}

unsigned slices_of(FakeGpu& gpu, const GpuInstance& instance) {
  return gpu.model().profile(instance.profile)->slices;
}

bool has_media(FakeGpu& gpu, const GpuInstance& instance) {
  return gpu.model().profile(instance.profile)->name.contains("+me");
}

Return compute_placements_of(FakeGpu& gpu, const GpuInstance& instance, unsigned kind,
                             std::vector<MigPlacement>& placements) {
  if (kind >= compute_kinds) return nvml::invalid_argument;
  placements = compute_placements(slices_of(gpu, instance), slices_of_kind[kind]);
  const bool is_offered = !placements.empty() && (kind != media_kind || has_media(gpu, instance));
  return is_offered ? nvml::success : nvml::not_supported;
}

}  // namespace

}  // namespace gpuhost::fake_nvml

using namespace gpuhost;             // NOLINT(google-build-using-namespace)
using namespace gpuhost::fake_nvml;  // NOLINT(google-build-using-namespace)
using nvml::ComputeInstanceHandle;
using nvml::GpuInstanceHandle;

extern "C" {

Return nvmlDeviceGetGpuInstanceProfileInfo(Device device, unsigned kind, nvml::GpuInstanceProfileInfo* info) {
  return on_gpu("nvmlDeviceGetGpuInstanceProfileInfo", Right::anybody, device,
                [&](FakeDriver&, FakeGpu& gpu) {
                  const GpuInstanceProfile* profile = nullptr;
                  const auto found = profile_of(gpu, kind, profile);
                  if (found != nvml::success) return found;
                  *info = {};
                  fill(*profile, *info);
                  return nvml::success;
                });
}

Return nvmlDeviceGetGpuInstanceProfileInfoV(Device device, unsigned kind, void* info) {
  return on_gpu("nvmlDeviceGetGpuInstanceProfileInfoV", Right::anybody, device,
                [&](FakeDriver& driver, FakeGpu& gpu) {
                  if (info == nullptr) return nvml::invalid_argument;
                  const unsigned version = *static_cast<unsigned*>(info);
                  const bool is_third = version == nvml::struct_version<nvml::GpuInstanceProfileInfoV3>(3);
                  const bool is_second = version == nvml::struct_version<nvml::GpuInstanceProfileInfoV2>(2);
                  if ((!is_third || driver.struct_version < 3) && (!is_second || driver.struct_version < 2))
                    return nvml::argument_version_mismatch;
                  const GpuInstanceProfile* profile = nullptr;
                  const auto found = profile_of(gpu, kind, profile);
                  if (found != nvml::success) return found;
                  return is_third ? fill_named<nvml::GpuInstanceProfileInfoV3>(*profile, info)
                                  : fill_named<nvml::GpuInstanceProfileInfoV2>(*profile, info);
                });
}

Return nvmlDeviceGetGpuInstancePossiblePlacements_v2(Device device, unsigned profile, Placement* placements,
                                                     unsigned* count) {
  return on_gpu("nvmlDeviceGetGpuInstancePossiblePlacements_v2", Right::root, device,
                [&](FakeDriver&, FakeGpu& gpu) {
                  const auto* known = gpu.model().profile(profile);
                  return known == nullptr ? nvml::invalid_argument
                                          : give_all(shown(known->placements), placements, count);
                });
}

Return nvmlDeviceGetGpuInstancePossiblePlacements(Device device, unsigned profile, Placement* placements,
                                                  unsigned* count) {
  return nvmlDeviceGetGpuInstancePossiblePlacements_v2(device, profile, placements, count);
}

Return nvmlDeviceGetGpuInstanceRemainingCapacity(Device device, unsigned profile, unsigned* count) {
  return on_gpu("nvmlDeviceGetGpuInstanceRemainingCapacity", Right::root, device,
                [&](FakeDriver&, FakeGpu& gpu) {
                  const auto room = gpu.model().room(profile);
                  if (!room || count == nullptr) return nvml::invalid_argument;
                  *count = *room;
                  return nvml::success;
                });
}

Return nvmlDeviceCreateGpuInstance(Device device, unsigned profile, GpuInstanceHandle* instance) {
  return on_gpu("nvmlDeviceCreateGpuInstance", Right::root, device, [&](FakeDriver& driver, FakeGpu& gpu) {
    return create(driver, gpu, profile, std::nullopt, instance);
  });
}

Return nvmlDeviceCreateGpuInstanceWithPlacement(Device device, unsigned profile, const Placement* placement,
                                                GpuInstanceHandle* instance) {
  return on_gpu(
      "nvmlDeviceCreateGpuInstanceWithPlacement", Right::root, device, [&](FakeDriver& driver, FakeGpu& gpu) {
        if (placement == nullptr) return nvml::invalid_argument;
        return create(driver, gpu, profile, MigPlacement{placement->start, placement->size}, instance);
      });
}

Return nvmlGpuInstanceDestroy(GpuInstanceHandle instance) {
  return on_part("nvmlGpuInstanceDestroy", Right::root, instance, [](FakeGpu& gpu, Part part) {
    const auto done = gpu.model().destroy(part.first);
    return done ? nvml::success : meaning_of(done.error());
  });
}

Return nvmlDeviceGetGpuInstances(Device device, unsigned profile, GpuInstanceHandle* instances,
                                 unsigned* count) {
  return on_gpu("nvmlDeviceGetGpuInstances", Right::root, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (!gpu.mig.mode.current) return nvml::not_supported;
    if (gpu.model().profile(profile) == nullptr) return nvml::invalid_argument;
    std::vector<GpuInstanceHandle> all;
    for (const auto& instance : gpu.mig.instances)
      if (instance.profile == profile)
        all.push_back(handle_of<GpuInstanceHandle>(gpu.parts.at({instance.id, std::nullopt})));
    return give_all(all, instances, count);
  });
}

Return nvmlDeviceGetGpuInstanceById(Device device, unsigned id, GpuInstanceHandle* instance) {
  return on_gpu("nvmlDeviceGetGpuInstanceById", Right::root, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (!gpu.mig.mode.current) return nvml::not_supported;
    const auto found = gpu.parts.find({id, std::nullopt});
    if (found == gpu.parts.end()) return nvml::not_found;
    *instance = handle_of<GpuInstanceHandle>(found->second);
    return nvml::success;
  });
}

Return nvmlGpuInstanceGetInfo(GpuInstanceHandle instance, nvml::GpuInstanceInfo* info) {
  return on_part("nvmlGpuInstanceGetInfo", Right::anybody, instance, [&](FakeGpu& gpu, Part part) {
    const auto& found = *gpu.model().instance(part.first);
    *info = {.device = handle_of<Device>(gpu.handle),
             .id = found.id,
             .profile_id = found.profile,
             .placement = {found.placement.start, found.placement.size}};
    return nvml::success;
  });
}

Return nvmlGpuInstanceGetComputeInstanceProfileInfo(GpuInstanceHandle instance, unsigned kind,
                                                    unsigned /*engines*/,
                                                    nvml::ComputeInstanceProfileInfo* info) {
  return on_part(
      "nvmlGpuInstanceGetComputeInstanceProfileInfo", Right::anybody, instance, [&](FakeGpu& gpu, Part part) {
        std::vector<MigPlacement> placements;
        const auto offered = compute_placements_of(gpu, *gpu.model().instance(part.first), kind, placements);
        if (offered != nvml::success) return offered;
        *info = {.id = kind,
                 .slices = slices_of_kind[kind],
                 .instances = static_cast<unsigned>(placements.size())};
        return nvml::success;
      });
}

Return nvmlGpuInstanceGetComputeInstancePossiblePlacements(GpuInstanceHandle instance, unsigned profile,
                                                           Placement* placements, unsigned* count) {
  return on_part("nvmlGpuInstanceGetComputeInstancePossiblePlacements", Right::root, instance,
                 [&](FakeGpu& gpu, Part part) {
                   std::vector<MigPlacement> all;
                   const auto offered =
                       compute_placements_of(gpu, *gpu.model().instance(part.first), profile, all);
                   return offered == nvml::success ? give_all(shown(all), placements, count) : offered;
                 });
}

Return nvmlGpuInstanceCreateComputeInstance(GpuInstanceHandle instance, unsigned profile,
                                            ComputeInstanceHandle* made) {
  return answer("nvmlGpuInstanceCreateComputeInstance", Right::root, [&](FakeDriver& driver) {
    for (auto& gpu : driver.gpus) {
      for (const auto& [part, number] : gpu.parts) {
        if (handle_of<GpuInstanceHandle>(number) != instance || part.second) continue;
        const unsigned parent = part.first;
        std::vector<MigPlacement> all;
        const auto offered = compute_placements_of(gpu, *gpu.model().instance(parent), profile, all);
        if (offered != nvml::success) return offered;
        const auto done = gpu.model().create_compute(parent, slices_of_kind[profile], std::nullopt);
        if (!done) return meaning_of(done.error());
        const unsigned id = (*done)->id;
        driver.renew_handles();
        *made = handle_of<ComputeInstanceHandle>(gpu.parts.at({parent, id}));
        return nvml::success;
      }
    }
    return nvml::invalid_argument;
  });
}

Return nvmlComputeInstanceDestroy(ComputeInstanceHandle instance) {
  return on_part("nvmlComputeInstanceDestroy", Right::root, instance, [](FakeGpu& gpu, Part part) {
    if (!part.second) return nvml::invalid_argument;
    const auto done = gpu.model().destroy_compute(part.first, *part.second);
    return done ? nvml::success : meaning_of(done.error());
  });
}

Return nvmlGpuInstanceGetComputeInstances(GpuInstanceHandle instance, unsigned profile,
                                          ComputeInstanceHandle* instances, unsigned* count) {
  return on_part("nvmlGpuInstanceGetComputeInstances", Right::root, instance, [&](FakeGpu& gpu, Part part) {
    if (profile >= compute_kinds) return nvml::invalid_argument;
    std::vector<ComputeInstanceHandle> all;
    for (const auto& one : gpu.model().instance(part.first)->compute_instances)
      if (one.placement.size == slices_of_kind[profile] && profile != media_kind)
        all.push_back(handle_of<ComputeInstanceHandle>(gpu.parts.at({part.first, one.id})));
    return give_all(all, instances, count);
  });
}

Return nvmlGpuInstanceGetComputeInstanceById(GpuInstanceHandle instance, unsigned id,
                                             ComputeInstanceHandle* found) {
  return on_part("nvmlGpuInstanceGetComputeInstanceById", Right::root, instance,
                 [&](FakeGpu& gpu, Part part) {
                   const auto known = gpu.parts.find({part.first, id});
                   if (known == gpu.parts.end()) return nvml::not_found;
                   *found = handle_of<ComputeInstanceHandle>(known->second);
                   return nvml::success;
                 });
}

Return nvmlComputeInstanceGetInfo_v2(ComputeInstanceHandle instance, nvml::ComputeInstanceInfo* info) {
  return on_part("nvmlComputeInstanceGetInfo_v2", Right::anybody, instance, [&](FakeGpu& gpu, Part part) {
    if (!part.second) return nvml::invalid_argument;
    const auto& parts = gpu.model().instance(part.first)->compute_instances;
    const auto& found = *std::ranges::find(parts, *part.second, &ComputeInstance::id);
    const auto kind = std::ranges::find(slices_of_kind, found.placement.size) - std::begin(slices_of_kind);
    *info = {.device = handle_of<Device>(gpu.handle),
             .gpu_instance = handle_of<GpuInstanceHandle>(gpu.parts.at({part.first, std::nullopt})),
             .id = found.id,
             .profile_id = static_cast<unsigned>(kind),
             .placement = {found.placement.start, found.placement.size}};
    return nvml::success;
  });
}

Return nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned* count, nvml::ProcessInfo* infos) {
  return on_gpu("nvmlDeviceGetComputeRunningProcesses_v3", Right::anybody, device,
                [&](FakeDriver&, FakeGpu& gpu) {
                  std::vector<nvml::ProcessInfo> all;
                  for (const auto& instance : gpu.mig.instances)
                    for (const int pid : gpu.model().shown(instance).processes)
                      all.push_back({.pid = static_cast<unsigned>(pid), .gpu_instance_id = instance.id});
                  return give_within(all, infos, count);
                });
}

Return nvmlDeviceGetComputeRunningProcesses_v2(Device device, unsigned* count, nvml::ProcessInfo* infos) {
  return nvmlDeviceGetComputeRunningProcesses_v3(device, count, infos);
}

/// A vGPU's handle says where it is: there is no more to know of it.
Return nvmlDeviceGetActiveVgpus(Device device, unsigned* count, nvml::VgpuInstanceHandle* vgpus) {
  return on_gpu("nvmlDeviceGetActiveVgpus", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    std::vector<nvml::VgpuInstanceHandle> all;
    for (const auto& instance : gpu.mig.instances)
      for (unsigned i = 0; i < instance.vgpus; ++i) all.push_back(instance.id << 8U | (i + 1));
    return give_within(all, vgpus, count);
  });
}

Return nvmlDeviceGetSupportedVgpus(Device device, unsigned* count, nvml::VgpuTypeId* types) {
  return on_gpu("nvmlDeviceGetSupportedVgpus", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (gpu.vgpu_types.empty()) return nvml::not_supported;
    std::vector<nvml::VgpuTypeId> all;
    for (const auto& [number, name] : gpu.vgpu_types) all.push_back(number);
    return give_within(all, types, count);
  });
}

Return nvmlVgpuTypeGetName(nvml::VgpuTypeId type, char* name, unsigned* size) {
  return answer("nvmlVgpuTypeGetName", Right::anybody, [&](FakeDriver& driver) {
    for (const auto& gpu : driver.gpus)
      if (const auto found = gpu.vgpu_types.find(type); found != gpu.vgpu_types.end())
        return give_within(
            std::vector<char>(found->second.c_str(), found->second.c_str() + found->second.size() + 1), name,
            size);
    return nvml::invalid_argument;
  });
}

Return nvmlVgpuInstanceGetGpuInstanceId(nvml::VgpuInstanceHandle vgpu, unsigned* id) {
  return answer("nvmlVgpuInstanceGetGpuInstanceId", Right::anybody, [&](FakeDriver&) {
    *id = vgpu >> 8U;
    return nvml::success;
  });
}

}  // extern "C"
