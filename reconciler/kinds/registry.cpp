#include "kinds/registry.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "kinds/document_specs.hpp"
#include "kinds/driver/driver.hpp"
#include "kinds/gpus/gpus.hpp"
#include "kinds/license/license.hpp"
#include "kinds/scheduler/scheduler.hpp"
#include "kinds/sizes/sizes.hpp"
#include "kinds/unsupported.hpp"

namespace gpuhost {

namespace {

/// What a GPU's mode, or a driver that is to be installed, asks of the modules, unless the document speaks of
/// them itself.
std::vector<KernelModuleSpec> with_implied_modules(std::vector<KernelModuleSpec> modules,
                                                   const DocumentSpecs& specs) {
  const bool passes_through = std::ranges::any_of(specs.gpus, [](const GpuSpecs& gpu) {
    return gpu.entry.mode && **gpu.entry.mode == GpuMode::passthrough;
  });
  using State = KernelModuleSpec::State;
  const auto imply = [&](const char* name, State state) {
    const auto is_it = [&](const KernelModuleSpec& module) { return underscored(module.name) == name; };
    if (std::ranges::none_of(modules, is_it))
      modules.push_back({.name = name, .state = state, .implied = true});
  };
  if (passes_through) imply("vfio_pci", State::loaded);
  if (specs.driver && specs.driver->value.source) imply("nouveau", State::blocked);
  const auto schedules = [](const GpuSpecs& gpu) { return gpu.vgpu.scheduler.has_value(); };
  if (std::ranges::any_of(specs.gpus, schedules)) imply("nvidia", State::as_is);
  return modules;
}

/// What gets the licence runs, unless the document speaks of it itself.
std::vector<UnitSpec> with_implied_units(std::vector<UnitSpec> units, const DocumentSpecs& specs) {
  const bool is_named = std::ranges::find(units, licence_service, &UnitSpec::name) != units.end();
  if (specs.license && !is_named) units.push_back({.name = licence_service, .enabled = {}, .active = true});
  return units;
}

std::vector<GpuEntry> entries_of(const std::vector<GpuSpecs>& gpus) {
  std::vector<GpuEntry> entries;
  std::ranges::transform(gpus, std::back_inserter(entries), &GpuSpecs::entry);
  return entries;
}

std::vector<GpuEntry> passed_through(const std::vector<GpuSpecs>& gpus) {
  auto entries = entries_of(gpus);
  std::erase_if(entries,
                [](const GpuEntry& entry) { return !entry.mode || **entry.mode != GpuMode::passthrough; });
  return entries;
}

/// A GPU that is passed through whole has no functions of its own on the host.
FunctionsWish functions_wish(const GpuSpecs& gpu) {
  FunctionsWish wish{.has_vgpus = gpu.vgpu.vgpus && !gpu.vgpu.vgpus->value.empty(),
                     .has_instances = gpu.mig && !gpu.mig->value.instances.empty()};
  if (gpu.functions)
    wish.enabled = gpu.functions->value.enabled;
  else if (gpu.entry.mode && **gpu.entry.mode == GpuMode::passthrough)
    wish = {
        .enabled = false, .has_vgpus = wish.has_vgpus, .implied = true, .has_instances = wish.has_instances};
  return wish;
}

std::vector<ForGpus<FunctionsWish>> function_wishes(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<FunctionsWish>> wishes;
  for (const auto& gpu : gpus)
    if (const auto wish = functions_wish(gpu); wish.enabled || wish.has_vgpus || wish.has_instances)
      wishes.push_back({gpu.entry, wish});
  return wishes;
}

/// Nothing: the entry says nothing of MIG, or leaves it to its vGPUs.
std::optional<std::vector<VgpuSpec::Instances>> listed_instances(const GpuSpecs& gpu) {
  if (!gpu.mig || (*gpu.mig)->mode == MigSpec::Mode::automatic) return std::nullopt;
  std::vector<VgpuSpec::Instances> listed;
  for (const auto& instances : (*gpu.mig)->instances) listed.push_back({instances.profile, instances.count});
  return listed;
}

/// Only a GPU in mode vgpu can have vGPUs: the other modes say that there are none.
std::vector<ForGpus<VgpuSpec>> vgpu_specs(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<VgpuSpec>> specs;
  for (const auto& gpu : gpus) {
    auto spec = gpu.vgpu;
    spec.instances = listed_instances(gpu);
    spec.manages_mig = gpu.mig.has_value();
    const auto& mode = gpu.entry.mode;
    if (!spec.vgpus && mode && **mode != GpuMode::vgpu)
      spec.vgpus = Located{std::vector<VgpuSpec::Vgpus>{}, mode->mark};
    if (spec.vgpus) specs.push_back({gpu.entry, std::move(spec)});
  }
  return specs;
}

/// A board that keeps the MIG mode would hand it to the guest with passthrough.
std::vector<ForGpus<MigWish>> mig_wishes(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<MigWish>> wishes;
  for (const auto& gpu : gpus) {
    const auto& mode = gpu.entry.mode;
    const bool gives_away = mode && **mode == GpuMode::passthrough;
    if (!gpu.mig && !gives_away) continue;
    MigWish wish{.only_if_kept = gives_away};
    wish.spec.mode = MigSpec::Mode::disabled;
    if (gpu.mig) wish.spec = **gpu.mig;
    wish.fills_instances = mode && **mode == GpuMode::bare_metal;
    wish.functions = functions_wish(gpu).enabled.value_or(functions_wish(gpu).has_vgpus);
    if (gpu.vgpu.vgpus)
      for (const auto& vgpus : **gpu.vgpu.vgpus) wish.vgpus.push_back({vgpus.type, vgpus.count});
    wishes.push_back({gpu.entry, std::move(wish)});
  }
  return wishes;
}

std::vector<ForGpus<EccWish>> ecc_wishes(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<EccWish>> wishes;
  for (const auto& gpu : gpus) {
    if (!gpu.ecc) continue;
    const auto& mode = gpu.entry.mode;
    EccWish wish{.enabled = gpu.ecc->value.enabled,
                 .for_vgpus = gpu.vgpu.vgpus.has_value() || (mode && **mode == GpuMode::vgpu),
                 .with_driver = mode && **mode != GpuMode::passthrough};
    if (gpu.vgpu.vgpus)
      for (const auto& vgpus : **gpu.vgpu.vgpus) wish.vgpu_types.push_back(vgpus.type);
    wishes.push_back({gpu.entry, std::move(wish)});
  }
  return wishes;
}

std::vector<ForGpus<DisplayWish>> display_wishes(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<DisplayWish>> wishes;
  for (const auto& gpu : gpus) {
    if (!gpu.display_mode) continue;
    const auto& mode = gpu.entry.mode;
    wishes.push_back({gpu.entry, {**gpu.display_mode, mode ? std::optional(**mode) : std::nullopt}});
  }
  return wishes;
}

/// As the document says it, for the driver.
VgpuScheduler scheduler_of(const VgpuSpec::Scheduler& spec) {
  using Policy = VgpuSpec::Scheduler::Policy;
  constexpr unsigned nanoseconds = 1'000'000'000;
  constexpr unsigned millisecond = 1'000'000;
  VgpuScheduler scheduler;
  if (spec.policy && **spec.policy == Policy::equal_share)
    scheduler.policy = VgpuScheduler::Policy::equal_share;
  if (spec.policy && **spec.policy == Policy::fixed_share)
    scheduler.policy = VgpuScheduler::Policy::fixed_share;
  scheduler.round_robin = !spec.timeslice;
  if (spec.timeslice) scheduler.timeslice_ns = *spec.timeslice * millisecond;
  if (spec.frequency) scheduler.timeslice_ns = nanoseconds / *spec.frequency;
  scheduler.averaging = spec.averaging.value_or(0);
  return scheduler;
}

std::vector<ForGpus<VgpuScheduler>> scheduler_wishes(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<VgpuScheduler>> wishes;
  for (const auto& gpu : gpus)
    if (gpu.vgpu.scheduler) wishes.push_back({gpu.entry, scheduler_of(gpu.vgpu.scheduler->value)});
  return wishes;
}

std::vector<ForGpus<SizesWish>> sizes_wishes(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<SizesWish>> wishes;
  for (const auto& gpu : gpus) {
    SizesWish wish{.turns_mig_off = gpu.mig && gpu.mig->value.mode == MigSpec::Mode::disabled,
                   .sets_scheduler = gpu.vgpu.scheduler.has_value()};
    if (gpu.vgpu.sizes) wish.mixed = **gpu.vgpu.sizes == VgpuSpec::Sizes::mixed;
    if (wish.mixed || (gpu.vgpu.vgpus && !gpu.vgpu.vgpus->value.empty())) wishes.push_back({gpu.entry, wish});
  }
  return wishes;
}

std::vector<ForGpus<DriverRegistryKey>> registry_keys(const std::vector<GpuSpecs>& gpus) {
  std::vector<ForGpus<DriverRegistryKey>> keys;
  for (const auto& [entry, scheduler] : scheduler_wishes(gpus))
    keys.push_back({entry, {scheduler_registry_key, rm_pvmrl_of(scheduler)}});
  return keys;
}

std::vector<NamedDevices> devices_of(const std::vector<GpuSpecs>& gpus) {
  using Companions = PassthroughSpec::Companions;
  std::vector<NamedDevices> devices;
  for (const auto& gpu : gpus) {
    NamedDevices named_devices{.entry = gpu.entry};
    named_devices.companions_too = gpu.passthrough && gpu.passthrough->value.companions == Companions::attach;
    if (gpu.vgpu.vgpus)
      std::ranges::transform(**gpu.vgpu.vgpus, std::back_inserter(named_devices.vgpus), named);
    devices.push_back(std::move(named_devices));
  }
  return devices;
}

std::vector<VmSpec> vm_specs(const std::vector<VmSpecs>& vms) {
  std::vector<VmSpec> specs;
  std::ranges::transform(vms, std::back_inserter(specs), &VmSpecs::vm);
  return specs;
}

bool may_have_vgpus(const VmSpec& vm) {
  using Type = VmSpec::Device::Type;
  return !vm.devices ||
         std::ranges::any_of(**vm.devices, [](const auto& device) { return device.type == Type::vgpu; });
}

std::vector<GuestDriverWish> guest_driver_wishes(const std::vector<VmSpecs>& vms) {
  std::vector<GuestDriverWish> wishes;
  for (const auto& vm : vms)
    if (vm.guest_driver)
      wishes.push_back({vm.vm.connection, *vm.vm.name, vm.guest_driver->value, may_have_vgpus(vm.vm)});
  return wishes;
}

/// Of the vGPU manager that the document wants; empty: it says nothing of one.
std::string manager_version(const std::optional<Located<DriverSpec>>& driver) {
  const bool manager = driver && (*driver)->flavor && **(*driver)->flavor == DriverSpec::Flavor::vgpu_manager;
  return manager ? wanted_version(**driver) : std::string{};
}

}  // namespace

/// The order is the kinds' rank: it settles ties in a plan, and nothing else.
Kinds make_kinds(DocumentSpecs specs, Omitted omitted) {
  Kinds kinds;
  kinds.push_back(make_virtualization(specs.virtualization));
  kinds.push_back(make_kernel_parameters(std::move(specs.kernel_parameters)));
  kinds.push_back(make_kernel_modules(with_implied_modules(std::move(specs.kernel_modules), specs),
                                      registry_keys(specs.gpus)));
  kinds.push_back(make_units(with_implied_units(std::move(specs.units), specs)));
  kinds.push_back(make_driver(specs.driver ? std::optional(specs.driver->value) : std::nullopt,
                              passed_through(specs.gpus)));
  kinds.push_back(make_license(specs.license ? std::optional(specs.license->value) : std::nullopt));
  kinds.push_back(make_gpus(entries_of(specs.gpus)));
  kinds.push_back(make_display_mode(display_wishes(specs.gpus), omitted));
  kinds.push_back(make_ecc(ecc_wishes(specs.gpus), omitted));
  kinds.push_back(make_mig(mig_wishes(specs.gpus), omitted));
  kinds.push_back(make_scheduler(scheduler_wishes(specs.gpus)));
  kinds.push_back(make_functions(function_wishes(specs.gpus)));
  kinds.push_back(make_sizes(sizes_wishes(specs.gpus)));
  kinds.push_back(make_passthrough(entries_of(specs.gpus)));
  kinds.push_back(make_vgpu(vgpu_specs(specs.gpus)));
  kinds.push_back(make_guest_driver(guest_driver_wishes(specs.vms), manager_version(specs.driver)));
  const bool all_guests_matter =
      specs.policy.disruption >= Disruption::reboot || !specs.policy.protected_vms.empty();
  kinds.push_back(make_vm_binding(vm_specs(specs.vms), devices_of(specs.gpus), all_guests_matter));
  return kinds;
}

std::optional<DecodedDocument> decode_document(Diagnostics& diagnostics, bool skip_missing) {
  auto specs = decode_specs(diagnostics);
  if (!specs) return std::nullopt;
  if (skip_missing)
    for (auto& gpu : specs->gpus) gpu.entry.selector->missing = GpuSelector::Missing::skip;
  DecodedDocument decoded;
  decoded.hosts = std::move(specs->hosts);
  decoded.overridden = std::move(specs->overridden);
  decoded.unsupported = unsupported_parts(*specs, diagnostics);
  // A host that does not allow the module does not allow what implies it.
  specs->kernel_modules = with_implied_modules(std::move(specs->kernel_modules), *specs);
  decoded.limited = limited_parts(*specs);
  decoded.limit_notes = forbidden(decoded.limited, {});
  decoded.desired.name = std::move(specs->name);
  decoded.desired.sha256 = std::move(specs->sha256);
  decoded.desired.policy = std::move(specs->policy);
  decoded.desired.kinds = make_kinds(std::move(*specs));
  return decoded;
}

void DecodedDocument::hold_to(const HostLimits& limits) {
  const auto asked = desired.policy.disruption;
  desired.policy.hold_below(limits.ceiling);
  limit_notes = forbidden(limited, limits);
  if (const auto allowed = desired.policy.disruption; allowed < asked)
    limit_notes.push_back({Note::Severity::info,
                           {},
                           fmt::format("{} of this host allows disruption {}, not {}", local_limits_path,
                                       to_string(allowed), to_string(asked))});
}

DecodedDocument empty_document(std::string name, Policy policy) {
  DecodedDocument document;
  document.desired = {std::move(name), sha256({}), std::move(policy), make_kinds({}, Omitted::given_back),
                      Scope::all};
  return document;
}

Kinds kinds_of_all_gpus() {
  GpuSpecs gpu;
  gpu.entry.name = Located{std::string("gpu"), Mark{}};
  gpu.entry.selector = GpuSelector{.by = GpuSelector::By::all};
  gpu.entry.mode = Located{GpuMode::vgpu, Mark{}};
  gpu.functions = Located{FunctionsSpec{.enabled = true}, Mark{}};
  gpu.vgpu.vgpus = Located{std::vector<VgpuSpec::Vgpus>{}, Mark{}};
  DocumentSpecs specs;
  specs.gpus.push_back(std::move(gpu));
  specs.driver = Located{DriverSpec{}, Mark{}};
  return make_kinds(std::move(specs));
}

Kinds all_kinds() {
  DocumentSpecs specs;
  specs.driver = Located{DriverSpec{}, Mark{}};
  return make_kinds(std::move(specs));
}

}  // namespace gpuhost
