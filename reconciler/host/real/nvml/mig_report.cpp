#include "host/real/nvml/mig_report.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "host/real/nvml/read_all.hpp"

namespace gpuhost::nvml {

namespace {

/// More kinds of profiles than any library has; one that never says "past the end" does not keep us.
constexpr unsigned most_kinds = 64;

/// One profile, in whatever version of the struct the library takes.
class ProfileReader {
 public:
  ProfileReader(const Session& session, Device device)
      : nvml_(session.library()), device_(device), version_(newest_version()) {}

  /// not_supported: the GPU has no such kind; invalid_argument: there are no further kinds.
  Return read(unsigned kind, GpuInstanceProfile& profile) const {
    if (version_ == 3) return read_named<GpuInstanceProfileInfoV3>(kind, profile);
    if (version_ == 2) return read_named<GpuInstanceProfileInfoV2>(kind, profile);
    GpuInstanceProfileInfo info{};
    const auto answer = nvml_.profile_info(device_, kind, &info);
    if (answer != success) return answer;
    Memory memory{};
    static_cast<void>(nvml_.memory(device_, &memory));
    take(info, profile);
    profile.name = profile_name(kind, info.slices, info.memory_mb, memory.total);
    return answer;
  }

 private:
  /// What is refused for the first kind, which every library has, is refused for its version.
  [[nodiscard]] unsigned newest_version() const {
    if (!nvml_.versioned_profile_info.exists()) return 1;
    const auto refuses = [](Return answer) {
      return answer == invalid_argument || answer == argument_version_mismatch;
    };
    GpuInstanceProfile ignored;
    if (!refuses(read_named<GpuInstanceProfileInfoV3>(0, ignored))) return 3;
    return refuses(read_named<GpuInstanceProfileInfoV2>(0, ignored)) ? 1 : 2;
  }

  template <class Info>
  Return read_named(unsigned kind, GpuInstanceProfile& profile) const {
    Info info{};
    constexpr unsigned number = std::is_same_v<Info, GpuInstanceProfileInfoV3> ? 3 : 2;
    info.version = struct_version<Info>(number);
    const auto answer = nvml_.versioned_profile_info(device_, kind, &info);
    if (answer != success) return answer;
    take(info, profile);
    info.name[name_size - 1] = '\0';
    std::string_view name(info.name);
    if (name.starts_with("MIG ")) name.remove_prefix(4);
    profile.name = name;
    return answer;
  }

  template <class Info>
  static void take(const Info& info, GpuInstanceProfile& profile) {
    profile.id = info.id;
    profile.slices = info.slices;
    profile.most = info.instances;
    profile.memory_mb = info.memory_mb;
  }

  const Library& nvml_;
  Device device_;
  unsigned version_;
};

Result<std::vector<MigPlacement>> read_placements(const Session& session, Device device, unsigned profile) {
  const auto& nvml = session.library();
  unsigned count = 0;
  auto answer = nvml.placements(device, profile, nullptr, &count);
  std::vector<Placement> found(count);
  if (answer == success && count > 0) answer = nvml.placements(device, profile, found.data(), &count);
  if (answer != success)
    return std::unexpected(
        session.error(answer, fmt::format("read where GPU instances of profile {} may lie", profile)));
  found.resize(std::min<std::size_t>(found.size(), count));
  std::vector<MigPlacement> placements;
  for (const auto& at : found) placements.push_back({at.start, at.size});
  std::ranges::sort(placements);
  return placements;
}

/// Processes and vGPUs, put to the instances that they are on.
Result<void> read_use(const Session& session, Device device, std::vector<GpuInstance>& instances) {
  const auto& nvml = session.library();
  const auto at = [&](unsigned id) { return std::ranges::find(instances, id, &GpuInstance::id); };
  std::vector<ProcessInfo> processes;
  const auto running = read_all(processes, [&](unsigned* count, ProcessInfo* infos) {
    return nvml.compute_processes(device, count, infos);
  });
  if (running != success && running != not_supported)
    return std::unexpected(session.error(running, "read the processes that compute on a GPU"));
  for (const auto& process : processes)
    if (const auto found = at(process.gpu_instance_id); found != instances.end())
      found->processes.push_back(static_cast<int>(process.pid));
  std::vector<VgpuInstanceHandle> vgpus;
  const auto active = read_all(vgpus, [&](unsigned* count, VgpuInstanceHandle* handles) {
    return nvml.active_vgpus(device, count, handles);
  });
  // A driver that knows no vGPUs has none.
  const bool has_none = active == not_supported || active == function_not_found;
  if (active != success && !has_none)
    return std::unexpected(session.error(active, "read the vGPUs that run on a GPU"));
  for (const auto vgpu : vgpus) {
    unsigned id = no_instance;
    if (nvml.gpu_instance_of_vgpu(vgpu, &id) != success) continue;
    if (const auto found = at(id); found != instances.end()) ++found->vgpus;
  }
  for (auto& instance : instances) {
    std::ranges::sort(instance.processes);
    const auto twice = std::ranges::unique(instance.processes);
    instance.processes.erase(twice.begin(), twice.end());
  }
  return {};
}

}  // namespace

Result<std::vector<GpuInstanceProfile>> read_profiles(const Session& session, Device device) {
  std::vector<GpuInstanceProfile> profiles;
  const ProfileReader reader(session, device);
  for (unsigned kind = 0; kind < most_kinds; ++kind) {
    GpuInstanceProfile profile;
    const auto answer = reader.read(kind, profile);
    if (answer == invalid_argument) break;
    if (answer == not_supported) continue;
    if (answer != success)
      return std::unexpected(session.error(answer, "read what a GPU can be partitioned into"));
    auto placements = read_placements(session, device, profile.id);
    if (!placements) return fail(std::move(placements));
    profile.placements = std::move(*placements);
    profiles.push_back(std::move(profile));
  }
  if (profiles.empty()) return fail(ErrorKind::unsupported, "the driver tells no profiles of GPU instances");
  std::ranges::sort(profiles, {}, &GpuInstanceProfile::id);
  const auto twice = std::ranges::unique(profiles, {}, &GpuInstanceProfile::id);
  profiles.erase(twice.begin(), twice.end());
  return profiles;
}

Result<std::vector<unsigned>> compute_profiles_of(const Session& session, GpuInstanceHandle instance,
                                                  unsigned slices) {
  std::vector<unsigned> ids;
  for (unsigned kind = 0; kind < most_kinds; ++kind) {
    ComputeInstanceProfileInfo info{};
    const auto answer = session.library().compute_profile_info(instance, kind, shared_engines, &info);
    if (answer == invalid_argument) break;
    if (answer == not_supported) continue;
    if (answer != success)
      return std::unexpected(session.error(answer, "read which compute instances a GPU instance can have"));
    if (slices == 0 || info.slices == slices) ids.push_back(info.id);
  }
  return ids;
}

Result<std::vector<ComputeInstance>> read_compute_instances(const Session& session,
                                                            GpuInstanceHandle instance) {
  const auto& nvml = session.library();
  constexpr std::size_t most = 16;  // twice as many as any GPU instance has
  const auto profiles = compute_profiles_of(session, instance, 0);
  if (!profiles) return std::unexpected(profiles.error());
  std::vector<ComputeInstance> found;
  for (const auto profile : *profiles) {
    ComputeInstanceHandle handles[most] = {};
    unsigned count = most;
    auto answer = nvml.compute_instances(instance, profile, handles, &count);
    for (std::size_t i = 0; answer == success && i < std::min<std::size_t>(count, most); ++i) {
      ComputeInstanceInfo info{};
      answer = nvml.compute_instance_info(handles[i], &info);
      if (answer == success) found.push_back({info.id, {info.placement.start, info.placement.size}});
    }
    if (answer != success)
      return std::unexpected(session.error(answer, "read the compute instances of a GPU instance"));
  }
  std::ranges::sort(found, {}, &ComputeInstance::id);
  return found;
}

Result<std::vector<GpuInstance>> read_instances(const Session& session, Device device,
                                                const std::vector<GpuInstanceProfile>& profiles) {
  const auto& nvml = session.library();
  std::vector<GpuInstance> instances;
  for (const auto& profile : profiles) {
    std::vector<GpuInstanceHandle> handles(std::max(profile.most, 1U));
    auto count = static_cast<unsigned>(handles.size());
    auto answer = nvml.gpu_instances(device, profile.id, handles.data(), &count);
    handles.resize(std::min<std::size_t>(handles.size(), answer == success ? count : 0));
    for (const auto handle : handles) {
      GpuInstanceInfo info{};
      answer = nvml.gpu_instance_info(handle, &info);
      if (answer != success) break;
      auto parts = read_compute_instances(session, handle);
      if (!parts) return fail(std::move(parts));
      instances.push_back({.id = info.id,
                           .profile = info.profile_id,
                           .placement = {info.placement.start, info.placement.size},
                           .compute_instances = std::move(*parts)});
    }
    if (answer != success) return std::unexpected(session.error(answer, "read the GPU instances of a GPU"));
  }
  std::ranges::sort(instances, {}, &GpuInstance::id);
  if (auto use = read_use(session, device, instances); !use) return fail(std::move(use));
  return instances;
}

Observed<Mig> read_mig(const Session& session, Device device) {
  unsigned current = 0;
  unsigned pending = 0;
  const auto answer = session.library().mig_mode(device, &current, &pending);
  if (answer == not_supported || answer == function_not_found) return Observed<Mig>::absent();
  if (answer != success) return Observed<Mig>::unknown(session.error(answer, "read the MIG mode").message);
  Mig mig{.mode = {current != 0, pending != 0}};
  const auto profiles = read_profiles(session, device);
  const bool is_told = profiles || profiles.error().kind != ErrorKind::unsupported;
  if (profiles)
    mig.profiles = *profiles;
  else if (is_told)
    mig.profiles = Observed<std::vector<GpuInstanceProfile>>::unknown(profiles.error().message);
  if (!mig.mode.current) return mig;
  auto instances = profiles ? read_instances(session, device, *profiles)
                            : Result<std::vector<GpuInstance>>(std::unexpected(profiles.error()));
  mig.instances = instances ? Observed(std::move(*instances))
                            : Observed<std::vector<GpuInstance>>::unknown(instances.error().message);
  return mig;
}

/// As NVIDIA's own tools work it out: eighths of the GPU's memory, of its size in GB rounded up. Source:
/// NewMigProfile and getMigMemorySizeGB in NVIDIA/go-nvlib pkg/nvlib/device/mig_profile.go.
std::string profile_name(unsigned kind, unsigned slices, std::uint64_t memory_mb, std::uint64_t total_bytes) {
  constexpr double mb = 1024.0 * 1024.0;
  constexpr double gb = 1024.0 * mb;
  const double total = static_cast<double>(total_bytes);
  double size = static_cast<double>(memory_mb) / 1024.0;
  if (total > 0)
    size = std::ceil(static_cast<double>(memory_mb) * mb / total * 8) / 8 * std::ceil(total / gb);
  // NVML_GPU_INSTANCE_PROFILE_*: 7 and 8 are _REV1, 10 to 12 and 17 _GFX, 13 and 14 _NO_ME, 15 and 16
  // _ALL_ME.
  const char* attribute = "";
  if (kind == 7 || kind == 8) attribute = "+me";
  if ((kind >= 10 && kind <= 12) || kind == 17) attribute = "+gfx";
  if (kind == 13 || kind == 14) attribute = "-me";
  if (kind == 15 || kind == 16) attribute = "+me.all";
  return fmt::format("{}g.{}gb{}", slices, std::lround(size), attribute);
}

}  // namespace gpuhost::nvml
