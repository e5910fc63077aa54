#include "host/sim/sim_gpus.hpp"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "host/sim/sim_licences.hpp"

namespace gpuhost {

namespace {

std::unexpected<Error> refused(MigRefusal why, const std::string& what) {
  switch (why) {
    case MigRefusal::invalid:
      return fail(ErrorKind::invalid, fmt::format("cannot {}: it has no such profile or placement", what));
    case MigRefusal::unsupported:
      return fail(ErrorKind::unsupported,
                  fmt::format("cannot {}: its MIG mode is off, or it knows no such thing", what));
    case MigRefusal::in_use:
      return fail(ErrorKind::busy, fmt::format("cannot {}: it is in use", what), "end that use first");
    case MigRefusal::insufficient_resources:
      return fail(ErrorKind::busy, fmt::format("cannot {}: its slices are taken", what));
    case MigRefusal::not_found:
      return fail(ErrorKind::not_found, fmt::format("cannot {}: there is no such instance", what));
  }
  std::unreachable();
}

/// "Model: \t\t NVIDIA A100-PCIE-40GB" of the driver's own file.
std::string product_of(const SimDeviceTree& tree, const PciAddress& address) {
  const auto text =
      tree.files().text(fmt::format("/proc/driver/nvidia/gpus/{}/information", address.to_string()));
  constexpr std::string_view model = "Model:";
  const std::string_view information = text ? std::string_view(*text) : std::string_view();
  for (const auto line : lines(information))
    if (line.starts_with(model)) return std::string(trim(line.substr(model.size())));
  return {};
}

}  // namespace

MigHardware mig_hardware_of(std::uint64_t device_id) {
  const auto* known = catalog::mig_gpu_of(static_cast<std::uint16_t>(device_id));
  if (known == nullptr) return {};
  MigHardware hardware{.stores_mode = known->keeps_mode};
  for (const auto& profile : catalog::mig_profiles_of(*known)) {
    if (!profile.id || !profile.size || profile.starts.empty()) continue;
    GpuInstanceProfile made{.id = *profile.id,
                            .name = std::string(profile.name),
                            .slices = profile.slices,
                            .most = profile.max,
                            .memory_mb = profile.memory_mb.value_or(0)};
    for (const unsigned start : profile.starts) made.placements.push_back({start, *profile.size});
    hardware.profiles.push_back(std::move(made));
  }
  std::ranges::sort(hardware.profiles, {}, &GpuInstanceProfile::id);
  return hardware;
}

Result<void> SimGpus::reach() const {
  if (!tree_.has_driver(nvidia_driver))
    return fail(ErrorKind::unavailable, "NVIDIA's driver is not loaded",
                "load the module nvidia, or install NVIDIA's driver");
  if (host_.machine.gpus_unknown) return std::unexpected(*host_.machine.gpus_unknown);
  return {};
}

MigHardware SimGpus::hardware_of(const PciAddress& address, const HostFile::Gpu& gpu) const {
  auto hardware = mig_hardware_of(tree_.number(address, "device").value_or(0));
  if (gpu.mig_profiles) hardware.profiles = *gpu.mig_profiles;
  return hardware;
}

Result<GpuReports> SimGpus::gpus() const {
  if (auto reached = reach(); !reached) return fail(std::move(reached));
  GpuReports reports;
  for (const auto& [address, gpu] : host_.machine.gpus)
    if (tree_.driver_of(address) == nvidia_driver) reports.emplace(address, report_of(address, gpu));
  return reports;
}

GpuReport SimGpus::report_of(const PciAddress& address, const HostFile::Gpu& gpu) const {
  GpuReport report{.uuid = gpu.uuid, .product = product_of(tree_, address)};
  if (!gpu.serial.empty()) report.serial = gpu.serial;
  if (gpu.ecc) report.ecc = *gpu.ecc;
  report.mig = mig_of(address, gpu);
  report.scheduler = scheduler_of(address, gpu);
  report.mixed_sizes = mixed_sizes_of(address, gpu);
  if (tree_.files().exists(sim_licence_daemon).value_or(false)) report.workstation_licensed = gpu.licensed;
  if (gpu.framework != HostFile::VgpuFramework::none) {
    std::map<unsigned, std::string> types;
    for (const auto& [id, type] : types_.of(address)) types.emplace(id, type->name);
    report.vgpu_types = std::move(types);
  }
  return report;
}

const catalog::Board* SimGpus::vgpu_board_of(const PciAddress& address, const HostFile::Gpu& gpu) const {
  if (gpu.framework == HostFile::VgpuFramework::none || !nvidia_.has_manager()) return nullptr;
  return catalog::board_of(static_cast<std::uint16_t>(tree_.number(address, "device").value_or(0)),
                           static_cast<std::uint16_t>(tree_.number(address, "subsystem_device").value_or(0)));
}

/// Source: NVIDIA vGPU user guide, "Scheduling Policies for Time-Sliced vGPUs": after Maxwell, without MIG.
Observed<VgpuScheduler> SimGpus::scheduler_of(const PciAddress& address, const HostFile::Gpu& gpu) const {
  const auto* board = vgpu_board_of(address, gpu);
  if (board == nullptr || board->architecture == catalog::Architecture::maxwell || gpu.mig.mode.current)
    return Observed<VgpuScheduler>::absent();
  return gpu.scheduler;
}

/// Source: comment on nvmlDeviceSetVgpuHeterogeneousMode in nvml.h: not supported with MIG.
Observed<bool> SimGpus::mixed_sizes_of(const PciAddress& address, const HostFile::Gpu& gpu) const {
  const auto* board = vgpu_board_of(address, gpu);
  if (board == nullptr || !board->mixed_sizes || gpu.mig.mode.current) return Observed<bool>::absent();
  return gpu.mixed_sizes;
}

Observed<Mig> SimGpus::mig_of(const PciAddress& address, const HostFile::Gpu& gpu) const {
  const auto hardware = hardware_of(address, gpu);
  if (hardware.profiles.empty()) return Observed<Mig>::absent();
  Mig mig{.mode = gpu.mig.mode, .profiles = hardware.profiles};
  if (gpu.mig_unknown) {
    mig.instances = Observed<std::vector<GpuInstance>>::unknown(gpu.mig_unknown->message);
  } else if (gpu.mig.mode.current) {
    auto state = gpu.mig;
    const MigModel model(hardware, state, alive_);
    for (auto& instance : state.instances) {
      instance = model.shown(instance);
      if (const auto uses = nvidia_.uses_on_instance(address, instance.id); !uses.empty())
        instance.vgpus = static_cast<unsigned>(std::ranges::count(uses, true));
    }
    mig.instances = state.instances;
  }
  return mig;
}

Result<HostFile::Gpu*> SimGpus::seen(const PciAddress& address) {
  if (auto reached = reach(); !reached) return fail(std::move(reached));
  const auto found = host_.machine.gpus.find(address);
  if (found == host_.machine.gpus.end() || tree_.driver_of(address) != nvidia_driver)
    return fail(ErrorKind::not_found, fmt::format("NVIDIA's driver has no GPU {}", address.to_string()));
  if (found->second.mig_unknown) return std::unexpected(*found->second.mig_unknown);
  return &found->second;
}

template <class Act>
auto SimGpus::partition(const PciAddress& address, const char* what, Act act)
    -> Result<typename std::invoke_result_t<Act, MigModel&>::value_type> {
  const auto gpu = seen(address);
  if (!gpu) return std::unexpected(gpu.error());
  const auto hardware = hardware_of(address, **gpu);
  MigModel model(hardware, (*gpu)->mig, alive_);
  auto done = act(model);
  nvidia_.partitioned(address);
  if (!done) return refused(done.error(), fmt::format("{} of GPU {}", what, address.to_string()));
  if constexpr (std::is_void_v<typename decltype(done)::value_type>)
    return {};
  else
    return *done;
}

/// Virtual functions would go with the driver's hold on the GPU, so that it does not let go.
bool SimGpus::is_held(const PciAddress& address) const {
  return nvidia_.use_of_device(address) || !tree_.virtual_functions_of(address).empty();
}

Result<GpuSwitch> SimGpus::set_mig_mode(const PciAddress& address, bool on) {
  return partition(address, "set the MIG mode", [&](MigModel& model) -> MigAnswer<GpuSwitch> {
    auto& gpu = host_.machine.gpus.at(address);
    const bool resets = gpu.mig.mode.current != on;
    const auto done = model.set_mode(on, is_held(address));
    if (!done && done.error() != MigRefusal::in_use) return std::unexpected(done.error());
    if (done && resets) clock_.take(gpu.reset_time);
    return gpu.mig.mode;
  });
}

Result<GpuSwitch> SimGpus::set_ecc(const PciAddress& address, bool on) {
  const auto gpu = seen(address);
  if (!gpu) return std::unexpected(gpu.error());
  auto& ecc = (*gpu)->ecc;
  if (!ecc)
    return fail(ErrorKind::unsupported,
                fmt::format("cannot set the ECC mode of GPU {}: it has none", address.to_string()));
  ecc->pending = on;
  return *ecc;
}

/// Source: comment on nvmlDeviceSetVgpuSchedulerState in nvml.h: not while a vGPU exists.
Result<void> SimGpus::set_scheduler(const PciAddress& address, const VgpuScheduler& scheduler) {
  const auto gpu = seen(address);
  if (!gpu) return std::unexpected(gpu.error());
  if (!scheduler_of(address, **gpu) || nvidia_.has_vgpus(address))
    return fail(ErrorKind::unsupported,
                fmt::format("cannot set the scheduler of GPU {}: it has none, or a vGPU is on the GPU",
                            address.to_string()));
  (*gpu)->scheduler = scheduler;
  return {};
}

Result<void> SimGpus::set_mixed_sizes(const PciAddress& address, bool on) {
  const auto gpu = seen(address);
  if (!gpu) return std::unexpected(gpu.error());
  const auto what = fmt::format("cannot set the mixed-size mode of GPU {}", address.to_string());
  if (!mixed_sizes_of(address, **gpu)) return fail(ErrorKind::unsupported, what + ": it has none");
  if (nvidia_.has_vgpus(address)) return fail(ErrorKind::busy, what + ": a vGPU is on the GPU");
  (*gpu)->mixed_sizes = on;
  nvidia_.partitioned(address);
  return {};
}

Result<GpuInstance> SimGpus::create_gpu_instance(const PciAddress& address, unsigned profile,
                                                 MigPlacement placement) {
  return partition(address, "create a GPU instance", [&](MigModel& model) -> MigAnswer<GpuInstance> {
    const auto made = model.create(profile, placement);
    if (!made) return std::unexpected(made.error());
    return **made;
  });
}

Result<void> SimGpus::destroy_gpu_instance(const PciAddress& address, unsigned id) {
  return partition(address, "destroy a GPU instance", [&](MigModel& model) -> MigAnswer<void> {
    auto* const instance = model.instance(id);
    if (instance == nullptr) return std::unexpected(MigRefusal::not_found);
    const bool has_vgpus = !nvidia_.uses_on_instance(address, id).empty();
    if (has_vgpus || model.shown(*instance).busy()) return std::unexpected(MigRefusal::in_use);
    instance->compute_instances.clear();
    return model.destroy(id);
  });
}

Result<ComputeInstance> SimGpus::create_compute_instance(const PciAddress& address, unsigned gpu_instance,
                                                         unsigned slices) {
  return partition(address, "create a compute instance", [&](MigModel& model) -> MigAnswer<ComputeInstance> {
    // Never seen done by a driver, and never to be tried.
    if (!nvidia_.uses_on_instance(address, gpu_instance).empty()) return std::unexpected(MigRefusal::in_use);
    const auto made = model.create_compute(gpu_instance, slices, std::nullopt);
    if (!made) return std::unexpected(made.error());
    return **made;
  });
}

Result<void> SimGpus::destroy_compute_instance(const PciAddress& address, unsigned gpu_instance,
                                               unsigned id) {
  return partition(address, "destroy a compute instance",
                   [&](MigModel& model) { return model.destroy_compute(gpu_instance, id); });
}

/// Sources: nvidia-smi documentation, "--gpu-reset"; the refusal is in NVIDIA/mig-parted issue 181. With
/// which status the program ends then is documented nowhere.
CommandResult SimGpus::nvidia_smi(const std::vector<std::string>& arguments) {
  const bool is_reset = arguments.size() == 3 && arguments[0] == "--gpu-reset" && arguments[1] == "-i";
  const auto address = is_reset ? PciAddress::parse(arguments[2]) : std::nullopt;
  if (!address) return {1, "nvidia-smi: the simulator knows --gpu-reset -i ADDRESS only\n"};
  const auto gpu = seen(*address);
  if (!gpu) return {1, "No devices were found\n"};
  const auto name = fmt::format("GPU {:08X}:{:02X}:{:02X}.{:X}", address->domain, address->bus,
                                address->device, address->function);
  if (is_held(*address))
    return {1, fmt::format("The following GPUs could not be reset:\n  {}: In use by another client\n", name)};
  restart(**gpu, hardware_of(*address, **gpu));
  clock_.take((*gpu)->reset_time);
  return {0, fmt::format("{} was successfully reset.\nAll done.\n", name)};
}

void SimGpus::boot() {
  for (auto& [address, gpu] : host_.machine.gpus) restart(gpu, hardware_of(address, gpu));
}

void SimGpus::restart(HostFile::Gpu& gpu, const MigHardware& hardware) {
  MigModel(hardware, gpu.mig, [](int) { return false; }).restart();
  if (gpu.ecc) gpu.ecc->current = gpu.ecc->pending;
  gpu.mixed_sizes = false;
}

}  // namespace gpuhost
