#include "kinds/mig/steps.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_idle.hpp"

namespace gpuhost {

namespace {

constexpr const char* word(bool on) {
  return on ? "on" : "off";
}

/// What all steps of a GPU have in common.
Step step_of(const SelectedGpu& selected, std::string verb, std::string address, Json arguments) {
  const auto gpu = selected.gpu->address;
  Step step;
  arguments["gpu"] = gpu.to_string();
  step.action = {std::string(MigLayouts::kind_name), std::move(verb), std::move(address),
                 std::move(arguments)};
  step.affects = {{.type = "gpu", .name = gpu.to_string()}};
  step.lanes = {gpu_facts::subject(gpu)};
  return step;
}

Json compute_json(const std::vector<ComputeInstance>& instances) {
  std::vector<unsigned> slices;
  for (const auto& one : instances) slices.push_back(one.placement.size);
  std::ranges::sort(slices, std::ranges::greater{});
  return slices;
}

}  // namespace

std::optional<PciAddress> gpu_of_mig_object(std::string_view object) {
  const auto field = object.substr(std::min(object.find("].") + 2, object.size()));
  return field == mig_mode_field || field.starts_with("mig[") ? gpu_of_object(object, field) : std::nullopt;
}

bool carries_vgpus(const Gpu& gpu, const GpuInstance& instance) {
  const auto on_it = [&](const auto& vgpu) { return vgpu.gpu_instance == instance.id; };
  return instance.vgpus > 0 || std::ranges::any_of(gpu.mediated_devices, on_it) ||
         std::ranges::any_of(gpu.functions, on_it);
}

Fact gone_fact(const Gpu& gpu, unsigned id) {
  return {gpu_facts::subject(gpu.address), fmt::format("without GPU instance {}", id)};
}

Step mode_step(const SelectedGpu& selected, const GpuSwitch& now, bool on, const Usage& usage) {
  const auto& gpu = *selected.gpu;
  auto step = step_of(selected, "set_mode", gpu_address(selected, mig_mode_field), {{"on", on}});
  step.actions = {"update"};
  step.title = fmt::format("turn the MIG mode of GPU {} {}", selected.label, word(on));
  step.progress = fmt::format("turning the MIG mode of GPU {} {}", selected.label, word(on));
  step.before = word(now.current);
  step.after = word(on);
  if (now.pending != now.current)
    step.explanation = fmt::format("it is set to {} and waits for a reset of the GPU", word(now.pending));
  need_idle_once_bound(gpu, usage, step);
  step.needs.push_back(gpu_facts::settled(gpu.address));
  step.needs.push_back(gpu_facts::without_mixed_sizes(gpu.address));
  // Off comes before the GPU is given away, on after it has come back.
  (on ? step.needs : step.needs_now).push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
  // What lies on the GPU goes with the mode, and the GPU is not reset while it has virtual functions.
  if (gpu.has_vgpus()) step.needs.push_back(gpu_facts::without_vgpus(gpu.address));
  if (gpu.functions.empty())
    step.needs_now.push_back(gpu_facts::functions_disabled(gpu.address));
  else
    step.needs.push_back(gpu_facts::functions_disabled(gpu.address));
  step.provides = {gpu_facts::mig_mode(gpu.address, on)};
  step.ends = {gpu_facts::mig_mode(gpu.address, !on)};
  step.disruption = Disruption::remove_idle;
  step.claims = Claim{
      gpu_object(gpu, mig_mode_field), {{"gpu", identity_of(gpu)}, {"mode", word(now.current)}}, word(on)};
  return step;
}

Step create_step(const SelectedGpu& selected, const NamedInstance& wanted, const MigPlacement& placement) {
  const auto& gpu = *selected.gpu;
  const auto& profile = *wanted.profile;
  const auto instance = instance_text(profile.name, placement.start);
  auto step = step_of(selected, "create", gpu_address(selected, fmt::format("mig[{}]", wanted.label)),
                      {{"profile", profile.name}, {"start", placement.start}, {"size", placement.size}});
  if (wanted.compute) step.action.arguments["compute"] = *wanted.compute;
  step.actions = {"create"};
  step.title = fmt::format("create GPU instance {} at memory slice {} of GPU {}", profile.name,
                           placement.start, selected.label);
  step.progress = fmt::format("creating GPU instance {} on GPU {}", profile.name, selected.label);
  step.after = {{"instance", instance}};
  if (wanted.compute) step.after["compute"] = *wanted.compute;
  step.needs = {gpu_facts::mig_mode(gpu.address, true), gpu_facts::settled(gpu.address)};
  step.provides = {gpu_facts::with_instance(gpu.address, profile.name)};
  step.claims = Claim{instance_object(gpu, instance), {{"gpu", identity_of(gpu)}}, instance};
  return step;
}

Step compute_step(const SelectedGpu& selected, const NamedInstance& wanted, const GpuInstance& there) {
  auto step = create_step(selected, wanted, there.placement);
  step.action.verb = "set_compute";
  step.actions = {"update"};
  step.title =
      fmt::format("set the compute instances of GPU instance {} of GPU {}", wanted.label, selected.label);
  step.progress = fmt::format("setting the compute instances of {} of GPU {}", wanted.label, selected.label);
  step.before = step.after;
  step.before["compute"] = compute_json(there.compute_instances);
  if (!there.compute_instances.empty()) step.disruption = Disruption::remove_idle;
  if (!there.processes.empty()) step.needs.push_back(gpu_facts::idle(selected.gpu->address));
  if (carries_vgpus(*selected.gpu, there))
    step.blocked_by.push_back(
        fmt::format("vGPUs are on GPU instance {} of GPU {}, and take it whole: leave out "
                    "'compute', or take the vGPUs away first",
                    wanted.label, selected.label));
  step.provides.clear();  // the instance is there already
  return step;
}

Step destroy_step(const SelectedGpu& selected, std::string address, const Mig& mig,
                  const GpuInstance& instance) {
  const auto& gpu = *selected.gpu;
  const auto* profile = find_profile(*mig.profiles, instance.profile);
  const auto text = instance_text(mig, instance);
  auto step = step_of(selected, "destroy", std::move(address),
                      {{"profile", profile == nullptr ? std::to_string(instance.profile) : profile->name},
                       {"start", instance.placement.start}});
  step.actions = {"delete"};
  step.title = fmt::format("destroy GPU instance {} of GPU {}", text, selected.label);
  step.progress = fmt::format("destroying GPU instance {} of GPU {}", text, selected.label);
  step.before = {{"instance", text}};
  if (!instance.compute_instances.empty()) step.before["compute"] = compute_json(instance.compute_instances);
  step.needs = {gpu_facts::instance_unused(gpu.address, instance.id)};
  if (!instance.processes.empty()) step.needs.push_back(gpu_facts::idle(gpu.address));
  step.provides = {gone_fact(gpu, instance.id)};
  step.disruption = Disruption::remove_idle;
  return step;
}

}  // namespace gpuhost
