#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/vgpu/steps.hpp"

namespace gpuhost {

namespace {

std::string name_on_record(const PresentVgpu& vgpu, const PlanInput& input) {
  const auto* record = input.owned.find(input.document, vgpu_object(vgpu.uuid));
  if (record == nullptr || !record->applied.is_object()) return vgpu.uuid.to_string();
  return record->applied.value("name", vgpu.uuid.to_string());
}

/// Makes it again as it was, where it was.
Step make_again_step(const Step& removal, const VgpuName& name, const Gpu& gpu, const PresentVgpu& vgpu,
                     VgpuParams params, bool mixed) {
  if (vgpu.placement) params.insert_or_assign(placement_param, std::to_string(*vgpu.placement));
  Step step;
  const auto uuid = vgpu.uuid.to_string();
  const auto type = short_type(vgpu.type);
  step.action = {std::string(Vgpu::kind_name),
                 "create",
                 name.address(),
                 {{"uuid", uuid}, {"type", type}, {"parent", vgpu.parent.to_string()}, {"params", params}}};
  step.actions = {"create"};
  step.title = fmt::format("create vGPU {} ({}) on {} again", name.vgpu, type, name.gpu);
  step.progress = fmt::format("creating vGPU {} on {} again", name.vgpu, name.gpu);
  step.after = removal.before;
  step.needs = {gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver), gpu_facts::manager_installed()};
  if (vgpu.parent != gpu.address) step.needs.push_back(gpu_facts::functions_enabled(gpu.address));
  if (const auto* known = catalog::find_type(vgpu.type); vgpu.gpu_instance && known != nullptr)
    step.needs.push_back(gpu_facts::with_instance(gpu.address, known->gpu_instance));
  if (mixed) step.needs.push_back(gpu_facts::vgpu_sizes(gpu.address, true));
  step.provides = {gpu_facts::present(vgpu.uuid)};
  step.ends = {absent_fact(vgpu.uuid)};
  step.affects = {{.type = "gpu", .name = gpu.address.to_string()}};
  step.lanes = removal.lanes;
  return step;
}

}  // namespace

/// A vGPU that is in the way for a while is removed and made again, with its UUID and parameters. One of
/// which these cannot be read stays.
std::vector<Offer> Vgpu::offer_from(const Fact& fact, const VgpuState& state, const PlanInput& input) const {
  if (state.gpus() == nullptr) return {};
  for (const auto& gpu : state.gpus()->gpus) {
    const auto& vgpus = state.on(gpu.address);
    Offer each;
    bool is_asked = fact == gpu_facts::without_vgpus(gpu.address);
    for (const auto& vgpu : vgpus) {
      const bool of_instance =
          vgpu.gpu_instance && fact == gpu_facts::instance_unused(gpu.address, *vgpu.gpu_instance);
      if (of_instance || fact == gpu_facts::without_vgpus(gpu.address))
        each.needs.push_back(absent_fact(vgpu.uuid));
      is_asked = is_asked || of_instance;
    }
    if (is_asked) return {std::move(each)};
    for (const auto& vgpu : vgpus) {
      if (fact != absent_fact(vgpu.uuid)) continue;
      const auto params = state.params.find(vgpu.uuid);
      const bool readable = params == state.params.end() || params->second ||
                            params->second.error().kind == ErrorKind::not_found;
      if (vgpu.type.empty() || !readable) return {};
      const auto known = params != state.params.end() && params->second ? *params->second : VgpuParams{};
      const VgpuName name{gpu.address.to_string(), name_on_record(vgpu, input)};
      auto removal = remove_step(name, gpu, vgpu, {});
      const auto mixed = state.mixed.find(gpu.address);
      auto again =
          make_again_step(removal, name, gpu, vgpu, known, mixed != state.mixed.end() && mixed->second);
      return {Offer{.needs = {}, .acquire = std::move(removal), .release = std::move(again)}};
    }
  }
  return {};
}

}  // namespace gpuhost
