#include "host/real/nvml/nvml_gpus.hpp"

#include <fmt/format.h>

#include "host/real/nvml/licence_report.hpp"
#include "host/real/nvml/mig_report.hpp"
#include "host/real/nvml/vgpu_modes.hpp"
#include "host/real/nvml/vgpu_report.hpp"

namespace gpuhost {

namespace {

using namespace nvml;

/// A text that the library writes into a buffer; not_found: this GPU has none.
template <std::size_t Size>
Result<std::string> text_of(const Session& session, const Function<Device, char*, unsigned>& function,
                            Device device, const char* what) {
  char buffer[Size] = {};
  const auto answer = function(device, buffer, Size);
  buffer[Size - 1] = '\0';
  if (answer == success) return std::string(buffer);
  auto error = session.error(answer, fmt::format("read the {} of a GPU", what));
  if (answer == not_supported) error.kind = ErrorKind::not_found;
  return std::unexpected(std::move(error));
}

Observed<GpuSwitch> ecc_of(const Session& session, Device device) {
  unsigned current = 0;
  unsigned pending = 0;
  const auto answer = session.library().ecc_mode(device, &current, &pending);
  if (answer == success) return GpuSwitch{current != 0, pending != 0};
  if (answer == not_supported) return Observed<GpuSwitch>::absent();
  return Observed<GpuSwitch>::unknown(session.error(answer, "read the ECC mode").message);
}

Result<GpuReport> report_of(const Session& session, Device device) {
  const auto& nvml = session.library();
  auto uuid = text_of<uuid_size>(session, nvml.uuid, device, "UUID");
  if (!uuid) return fail(std::move(uuid));
  auto product = text_of<name_size>(session, nvml.product, device, "name");
  if (!product) return fail(std::move(product));
  return GpuReport{.uuid = std::move(*uuid),
                   .product = std::move(*product),
                   .serial = Observed<std::string>::from(
                       text_of<serial_size>(session, nvml.serial, device, "serial number")),
                   .ecc = ecc_of(session, device),
                   .mig = read_mig(session, device),
                   .scheduler = read_scheduler(session, device),
                   .mixed_sizes = read_mixed_sizes(session, device),
                   .workstation_licensed = read_workstation_licensed(session, device),
                   .vgpu_types = read_vgpu_types(session, device)};
}

/// A session and the GPU in it, for one action.
struct Open {
  std::unique_ptr<Session> session;
  Device device;
  const Library& nvml;

  [[nodiscard]] std::unexpected<Error> failed(Return answer, const std::string& action) const {
    return std::unexpected(session->error(answer, action));
  }
};

Result<Open> open(const Places& places, const PciAddress& gpu) {
  auto session = Session::open(places);
  if (!session) return fail(std::move(session));
  auto device = (*session)->device(gpu);
  if (!device) return fail(std::move(device));
  const auto& library = (*session)->library();
  return Open{std::move(*session), *device, library};
}

Result<GpuInstanceHandle> instance_of(const Open& at, unsigned id, const std::string& action) {
  GpuInstanceHandle instance = nullptr;
  const auto answer = at.nvml.gpu_instance_by_id(at.device, id, &instance);
  if (answer != success) return at.failed(answer, action);
  return instance;
}

/// Checks that there is nothing that would stop the destruction half-way.
Result<void> check_idle(const Open& at, unsigned id, const std::string& action) {
  const auto profiles = read_profiles(*at.session, at.device);
  if (!profiles) return std::unexpected(profiles.error());
  const auto instances = read_instances(*at.session, at.device, *profiles);
  if (!instances) return std::unexpected(instances.error());
  for (const auto& instance : *instances) {
    if (instance.id != id || !instance.busy()) continue;
    const auto who = instance.processes.empty() ? std::string("a vGPU")
                                                : fmt::format("process {}", instance.processes.front());
    return fail(ErrorKind::busy, fmt::format("cannot {}: {} is on it", action, who), "end that use first");
  }
  return {};
}

Result<void> destroy_part(const Open& at, GpuInstanceHandle instance, unsigned id,
                          const std::string& action) {
  ComputeInstanceHandle part = nullptr;
  auto answer = at.nvml.compute_instance_by_id(instance, id, &part);
  if (answer == success) answer = at.nvml.destroy_compute_instance(part);
  if (answer != success) return at.failed(answer, action);
  if (at.nvml.compute_instance_by_id(instance, id, &part) == success)
    return fail(ErrorKind::mismatch, fmt::format("cannot {}: it is still there", action));
  return {};
}

}  // namespace

Result<GpuReports> NvmlGpus::gpus() const {
  const std::lock_guard lock(one_at_a_time_);
  const auto session = Session::open(places_);
  if (!session) return std::unexpected(session.error());
  const auto devices = (*session)->devices();
  if (!devices) return std::unexpected(devices.error());
  GpuReports reports;
  for (const auto& [address, device] : *devices) {
    auto report = report_of(**session, device);
    if (!report) return fail(std::move(report));
    reports.emplace(address, std::move(*report));
  }
  return reports;
}

Result<GpuSwitch> NvmlGpus::set_mig_mode(const PciAddress& gpu, bool on) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action = fmt::format("turn MIG {} on GPU {}", on ? "on" : "off", gpu.to_string());
  Return activation = success;
  {
    const auto at = open(places_, gpu);
    if (!at) return std::unexpected(at.error());
    const auto answer = at->nvml.set_mig_mode(at->device, on ? 1 : 0, &activation);
    if (answer != success) return at->failed(answer, action);
  }
  // The GPU may have been reset by that, so that its handle is void.
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  unsigned current = 0;
  unsigned pending = 0;
  if (const auto answer = at->nvml.mig_mode(at->device, &current, &pending); answer != success)
    return at->failed(answer, "read back the MIG mode of GPU " + gpu.to_string());
  if ((pending != 0) != on)
    return fail(ErrorKind::mismatch, fmt::format("cannot {}: {}", action, at->nvml.text_of(activation)));
  return GpuSwitch{current != 0, pending != 0};
}

Result<GpuSwitch> NvmlGpus::set_ecc(const PciAddress& gpu, bool on) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action = fmt::format("turn ECC {} on GPU {}", on ? "on" : "off", gpu.to_string());
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  if (const auto answer = at->nvml.set_ecc_mode(at->device, on ? 1 : 0); answer != success)
    return at->failed(answer, action);
  const auto now = ecc_of(*at->session, at->device);
  if (!now) return fail(ErrorKind::mismatch, fmt::format("cannot {}: the mode cannot be read back", action));
  if (now->pending != on)
    return fail(ErrorKind::mismatch, fmt::format("cannot {}: the driver says it did, and did not", action));
  return *now;
}

Result<void> NvmlGpus::set_scheduler(const PciAddress& gpu, const VgpuScheduler& scheduler) {
  const std::lock_guard lock(one_at_a_time_);
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  if (const auto answer = write_scheduler(at->nvml, at->device, scheduler); answer != success)
    return at->failed(answer, fmt::format("set the vGPU scheduler of GPU {}", gpu.to_string()));
  return {};
}

Result<void> NvmlGpus::set_mixed_sizes(const PciAddress& gpu, bool on) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action =
      fmt::format("turn the mixed-size mode of GPU {} {}", gpu.to_string(), on ? "on" : "off");
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  const HeterogeneousMode wanted{struct_version<HeterogeneousMode>(1), on ? 1U : 0U};
  if (const auto answer = at->nvml.set_mixed_sizes(at->device, &wanted); answer != success)
    return at->failed(answer, action);
  if (const auto now = read_mixed_sizes(*at->session, at->device); !now || *now != on)
    return fail(ErrorKind::mismatch, fmt::format("cannot {}: the driver says it did, and did not", action));
  return {};
}

Result<GpuInstance> NvmlGpus::create_gpu_instance(const PciAddress& gpu, unsigned profile,
                                                  MigPlacement placement) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action = fmt::format("create a GPU instance of profile {} at {}:{} on GPU {}", profile,
                                  placement.start, placement.size, gpu.to_string());
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  const Placement wanted{placement.start, placement.size};
  GpuInstanceHandle made = nullptr;
  GpuInstanceInfo info{};
  auto answer = at->nvml.create_gpu_instance(at->device, profile, &wanted, &made);
  if (answer == success) answer = at->nvml.gpu_instance_info(made, &info);
  if (answer != success) return at->failed(answer, action);
  GpuInstance instance{
      .id = info.id, .profile = info.profile_id, .placement = {info.placement.start, info.placement.size}};
  if (instance.placement == placement && instance.profile == profile) return instance;
  return fail(ErrorKind::mismatch,
              fmt::format("cannot {}: it lies at {}:{}", action, info.placement.start, info.placement.size));
}

Result<void> NvmlGpus::destroy_gpu_instance(const PciAddress& gpu, unsigned id) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action = fmt::format("destroy GPU instance {} of GPU {}", id, gpu.to_string());
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  const auto instance = instance_of(*at, id, action);
  if (!instance) return std::unexpected(instance.error());
  if (auto idle = check_idle(*at, id, action); !idle) return idle;
  const auto parts = read_compute_instances(*at->session, *instance);
  if (!parts) return std::unexpected(parts.error());
  for (const auto& part : *parts)
    if (auto gone = destroy_part(*at, *instance, part.id, action); !gone) return gone;
  if (const auto answer = at->nvml.destroy_gpu_instance(*instance); answer != success)
    return at->failed(answer, action);
  if (instance_of(*at, id, action))
    return fail(ErrorKind::mismatch, fmt::format("cannot {}: it is still there", action));
  return {};
}

Result<ComputeInstance> NvmlGpus::create_compute_instance(const PciAddress& gpu, unsigned gpu_instance,
                                                          unsigned slices) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action = fmt::format("create a compute instance of {} slices in GPU instance {} of GPU {}",
                                  slices, gpu_instance, gpu.to_string());
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  const auto parent = instance_of(*at, gpu_instance, action);
  if (!parent) return std::unexpected(parent.error());
  const auto profiles = compute_profiles_of(*at->session, *parent, slices);
  if (!profiles) return std::unexpected(profiles.error());
  // Instances with media engines have profiles of their own beside the plain ones.
  auto answer = not_supported;
  ComputeInstanceHandle made = nullptr;
  for (const auto profile : *profiles) {
    answer = at->nvml.create_compute_instance(*parent, profile, &made);
    if (answer != not_supported) break;
  }
  ComputeInstanceInfo info{};
  if (answer == success) answer = at->nvml.compute_instance_info(made, &info);
  if (answer != success) return at->failed(answer, action);
  return ComputeInstance{info.id, {info.placement.start, info.placement.size}};
}

Result<void> NvmlGpus::destroy_compute_instance(const PciAddress& gpu, unsigned gpu_instance, unsigned id) {
  const std::lock_guard lock(one_at_a_time_);
  const auto action = fmt::format("destroy compute instance {} of GPU instance {} of GPU {}", id,
                                  gpu_instance, gpu.to_string());
  const auto at = open(places_, gpu);
  if (!at) return std::unexpected(at.error());
  const auto parent = instance_of(*at, gpu_instance, action);
  if (!parent) return std::unexpected(parent.error());
  return destroy_part(*at, *parent, id, action);
}

}  // namespace gpuhost
