#include "kinds/vgpu/steps.hpp"

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"

namespace gpuhost {

namespace {

StepAction action(std::string verb, const VgpuName& name, Json arguments) {
  return {std::string(Vgpu::kind_name), std::move(verb), name.address(), std::move(arguments)};
}

std::string lane(const Gpu& gpu) {
  return gpu_facts::subject(gpu.address);
}

std::vector<Affected> affected(const Gpu& gpu, const std::vector<std::string>& domains) {
  std::vector<Affected> all{{.type = "gpu", .name = gpu.address.to_string()}};
  for (const auto& domain : domains) all.push_back({.type = "vm", .name = domain});
  return all;
}

Fact idle_fact(const PresentVgpu& vgpu) {
  return vgpu.mediated ? gpu_facts::idle(vgpu.uuid) : gpu_facts::idle(vgpu.parent);
}

VgpuName name_of(const GpuCase& on, const WantedVgpu& vgpu) {
  return {on.selected.label, vgpu.name};
}

Claim claim(const GpuCase& on, const WantedVgpu& vgpu, const std::optional<PciAddress>& parent,
            std::optional<unsigned> function) {
  return {vgpu_object(vgpu.uuid), nullptr, record_of(on, vgpu, parent, function)};
}

}  // namespace

std::string VgpuName::address() const {
  return fmt::format("gpu[{}].vgpu[{}]", gpu, vgpu);
}

Fact absent_fact(const Uuid& vgpu) {
  return {gpu_facts::subject(vgpu), "absent"};
}

Json record_of(const GpuCase& on, const WantedVgpu& vgpu, const std::optional<PciAddress>& parent,
               std::optional<unsigned> function) {
  Json record{{"gpu", identity_of(on.gpu)}, {"name", vgpu.name}, {"type", short_type(vgpu.spec->type)}};
  if (parent) record["parent"] = parent->to_string();
  if (function) record["function"] = *function;
  if (vgpu.placement) record["placement"] = *vgpu.placement;
  if (!vgpu.spec->params.empty()) record["params"] = vgpu.spec->params;
  return record;
}

Step create_step(const GpuCase& on, const WantedVgpu& vgpu, const Place& place) {
  const auto name = name_of(on, vgpu);
  const auto type = short_type(vgpu.spec->type);
  auto params = vgpu.spec->params;
  if (place.placement) params.emplace(placement_param, std::to_string(*place.placement));
  Step step;
  step.action = action("create", name, {{"uuid", vgpu.uuid.to_string()}, {"type", type}, {"params", params}});
  step.after = {{"uuid", vgpu.uuid.to_string()}, {"type", type}};
  if (place.parent) step.action.arguments["parent"] = step.after["parent"] = place.parent->to_string();
  if (place.placement) step.after["placement"] = *place.placement;
  if (!vgpu.spec->params.empty()) step.after["params"] = vgpu.spec->params;
  step.actions = {"create"};
  step.title = fmt::format("create vGPU {} ({}) on {}", vgpu.name, type, on.selected.label);
  step.progress = fmt::format("creating vGPU {} on {}", vgpu.name, on.selected.label);
  step.needs = {gpu_facts::bound(on.gpu.address, "nvidia"), gpu_facts::settled(on.gpu.address),
                gpu_facts::fit_for_vgpus(on.gpu.address)};
  if (on.uses_functions()) step.needs.push_back(gpu_facts::functions_enabled(on.gpu.address));
  if (const auto type_known = on.type_of(vgpu); type_known && type_known->needs_mig())
    step.needs.push_back(
        gpu_facts::with_instance(on.gpu.address, on.profile_named(type_known->gpu_instance)));
  else if (on.turns_mig_off())
    step.needs.push_back(gpu_facts::mig_mode(on.gpu.address, false));
  if (on.wants_mixed) step.needs.push_back(gpu_facts::vgpu_sizes(on.gpu.address, *on.wants_mixed));
  for (const auto* removed : on.removed) step.needs.push_back(absent_fact(removed->uuid));
  step.provides = {gpu_facts::present(vgpu.uuid)};
  step.affects = affected(on.gpu, {});
  step.lanes = {lane(on.gpu)};
  step.claims = claim(on, vgpu, place.parent, place.function);
  if (on.is_yet_to_come()) {
    step.provisional = true;
    if (!place.parent) step.after_unknown = Json::array({"parent"});
  }
  return step;
}

Step remove_step(const VgpuName& name, const Gpu& gpu, const PresentVgpu& vgpu,
                 const std::vector<std::string>& named_by) {
  const auto type = short_type(vgpu.type);
  Step step;
  step.action = action("remove", name, {{"uuid", vgpu.uuid.to_string()}});
  if (!vgpu.mediated) step.action.arguments["parent"] = vgpu.parent.to_string();
  step.before = {{"uuid", vgpu.uuid.to_string()}, {"type", type}, {"parent", vgpu.parent.to_string()}};
  step.actions = {"delete"};
  step.title = fmt::format("remove vGPU {} ({}) from {}", name.vgpu, type, name.gpu);
  step.progress = fmt::format("removing vGPU {} from {}", name.vgpu, name.gpu);
  step.needs = {idle_fact(vgpu)};
  step.provides = {absent_fact(vgpu.uuid)};
  step.ends = {gpu_facts::present(vgpu.uuid)};
  step.disruption = Disruption::remove_idle;
  step.affects = affected(gpu, named_by);
  step.reversible = Reversible::best_effort;
  step.lanes = {lane(gpu)};
  return step;
}

Step params_step(const GpuCase& on, const WantedVgpu& vgpu, const PresentVgpu& there, const VgpuParams& now,
                 const std::vector<std::string>& dropped) {
  const auto name = name_of(on, vgpu);
  auto then = now;
  for (const auto& key : dropped) then.erase(key);
  for (const auto& [key, value] : vgpu.spec->params) then.insert_or_assign(key, value);
  Step step;
  step.action =
      action("set_params", name,
             {{"uuid", vgpu.uuid.to_string()}, {"params", vgpu.spec->params}, {"dropped", dropped}});
  if (!there.mediated) step.action.arguments["parent"] = there.parent.to_string();
  step.before = {{"params", now}};
  step.after = {{"params", then}};
  step.actions = {"update"};
  step.title = fmt::format("set the parameters of vGPU {} on {}", vgpu.name, on.selected.label);
  step.progress = fmt::format("setting the parameters of vGPU {} on {}", vgpu.name, on.selected.label);
  step.explanation = "a guest has the parameters that the vGPU had when the guest started";
  step.needs = {idle_fact(there)};
  // So that a guest which is to start comes after it.
  step.provides = {gpu_facts::present(vgpu.uuid)};
  step.affects = affected(on.gpu, {});
  step.lanes = {lane(on.gpu)};
  const auto* function = on.gpu.function_at(there.parent);
  step.claims =
      claim(on, vgpu, there.parent, function != nullptr ? std::optional(function->index) : std::nullopt);
  return step;
}

Step forget_step(const VgpuName& name, const Uuid& uuid, const std::string& why) {
  Step step;
  step.action = action("forget", name, {{"uuid", uuid.to_string()}});
  step.actions = {"release"};
  step.title = fmt::format("forget vGPU {}, {}", name.vgpu, why);
  step.progress = fmt::format("forgetting vGPU {}", name.vgpu);
  step.gives_back = vgpu_object(uuid);
  step.reason = ActionReason::removed_from_desired;
  return step;
}

}  // namespace gpuhost
