#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/vgpu/steps.hpp"

namespace gpuhost {

namespace {

std::string name_on_record(const MediatedDevice& vgpu, const PlanInput& input) {
  const auto* record = input.owned.find(input.document, vgpu_object(vgpu.uuid));
  if (record == nullptr || !record->applied.is_object()) return vgpu.uuid.to_string();
  return record->applied.value("name", vgpu.uuid.to_string());
}

/// Makes it again as it was, where it was.
Step make_again_step(const Step& removal, const VgpuName& name, const Gpu& gpu, const MediatedDevice& vgpu,
                     const VgpuParams& params) {
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
    if (fact == gpu_facts::without_vgpus(gpu.address)) {
      const auto types = state.types.find(gpu.address);
      if (types != state.types.end() && !types->second.taken.empty()) return {};
      Offer each;
      std::ranges::transform(gpu.mediated_devices, std::back_inserter(each.needs),
                             [](const MediatedDevice& vgpu) { return absent_fact(vgpu.uuid); });
      return {std::move(each)};
    }
    for (const auto& vgpu : gpu.mediated_devices) {
      if (fact != absent_fact(vgpu.uuid)) continue;
      const auto params = state.params.find(vgpu.uuid);
      const bool readable = params == state.params.end() || params->second ||
                            params->second.error().kind == ErrorKind::not_found;
      if (vgpu.type.empty() || !readable) return {};
      const auto known = params != state.params.end() && params->second ? *params->second : VgpuParams{};
      const VgpuName name{gpu.address.to_string(), name_on_record(vgpu, input)};
      auto removal = remove_step(name, gpu, vgpu, {});
      auto again = make_again_step(removal, name, gpu, vgpu, known);
      return {Offer{.needs = {}, .acquire = std::move(removal), .release = std::move(again)}};
    }
  }
  return {};
}

}  // namespace gpuhost
