#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/functions/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_idle.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/mig_instances.hpp"
#include "kinds/vgpu_functions.hpp"

namespace gpuhost {

namespace {

const char* word(bool enabled) {
  return enabled ? "enabled" : "disabled";
}

/// Enabling or disabling, beside claims, reasons and what keeps it from being done.
Step switch_step(const Gpu& gpu, bool enable, const FunctionsState& state) {
  const auto address = gpu.address.to_string();
  Step step;
  step.action = {std::string(Functions::kind_name), enable ? "enable" : "disable",
                 gpu_object(gpu, Functions::field), Json{{"gpu", address}}};
  step.actions = {enable ? (gpu.functions.empty() ? "create" : "update") : "delete"};
  step.before = state.word_of(gpu);
  step.after = word(enable);
  if (enable)
    need_idle_once_bound(gpu, *state.usage, step);
  else
    need_idle(gpu, *state.usage, step);
  if (!gpu.functions.empty()) {
    step.needs.push_back(gpu_facts::without_vgpus(gpu.address));
    step.disruption = Disruption::remove_idle;
  }
  if (enable) {
    step.needs.push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
    step.provides = {gpu_facts::functions_enabled(gpu.address)};
    step.ends = {gpu_facts::functions_disabled(gpu.address)};
  } else {
    step.needs_now.push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
    step.provides = {gpu_facts::functions_disabled(gpu.address)};
    step.ends = {gpu_facts::functions_enabled(gpu.address)};
  }
  if (state.with_instances.contains(gpu.address))
    step.needs.push_back(gpu_facts::without_instances(gpu.address));
  if (state.with_mixed_sizes.contains(gpu.address))
    step.needs.push_back(gpu_facts::without_mixed_sizes(gpu.address));
  step.affects = {{"gpu", address}};
  step.lanes = {"gpu/" + address};
  return step;
}

void set_titles(Step& step, bool enable, std::string_view gpu) {
  step.title = fmt::format("{} the virtual functions of GPU {}", enable ? "enable" : "disable", gpu);
  step.progress = fmt::format("{} the virtual functions of GPU {}", enable ? "enabling" : "disabling", gpu);
}

std::string tool_obstacle(const FunctionsState& state) {
  if (!state.tool_there)
    return fmt::format("whether {} is there cannot be told: {}", sriov_manage,
                       state.tool_there.error().message);
  if (*state.tool_there) return {};
  return fmt::format(
      "{} is not there: install NVIDIA's vGPU manager, which brings it (nvidia-vgpu-ubuntu-VERSION.deb, "
      "NVIDIA-vGPU-rhel-VERSION.rpm or NVIDIA-Linux-x86_64-VERSION-vgpu-kvm.run)",
      sriov_manage);
}

std::vector<std::string> obstacles(const Gpu& gpu, bool enable, const FunctionsState& state) {
  const auto address = gpu.address.to_string();
  if (!has_sriov(gpu))
    return {
        fmt::format("GPU {} has no SR-IOV: leave out functions, or turn on SR-IOV in the firmware if the "
                    "board has it",
                    address)};
  std::vector<std::string> reasons;
  if (enable && state.without_bars.contains(gpu.address))
    reasons.push_back(
        fmt::format("the firmware gave the BARs of the virtual functions of GPU {} no address space: turn on "
                    "Above 4G decoding and SR-IOV in the firmware; on some boards the kernel parameter "
                    "pci=realloc helps",
                    address));
  return reasons;
}

std::string remark(const Gpu& gpu, const FunctionsState& state) {
  const auto lacks = state.lacks.find(gpu.address);
  if (gpu.functions.empty() || lacks == state.lacks.end() || lacks->second.empty()) return {};
  const auto more = lacks->second.size() - 1;
  return lacks->second.front() + (more == 0 ? std::string{} : fmt::format("; {} more", more));
}

bool is_managed(const FunctionsWish& wish, const Gpu& gpu) {
  return wish.enabled.has_value() || (wish.has_vgpus && vgpus_need_functions(gpu));
}

void compare(const SelectedGpu& selected, const FunctionsWish& wish, const FunctionsState& state,
             Proposal& proposal) {
  const auto& gpu = *selected.gpu;
  const bool said = wish.enabled.has_value();
  if (!is_managed(wish, gpu)) return;
  const bool enable = wish.enabled.value_or(true);
  if (!enable && gpu.total_functions.is_absent()) return;
  Finding finding{.address = gpu_address(selected, Functions::field),
                  .desired = word(enable),
                  .observed = state.word_of(gpu),
                  .object = gpu_object(gpu, Functions::field)};
  if (gpu.unreadable) {
    finding.verdict = Finding::Verdict::unknown;
    finding.observed = nullptr;
    finding.reason = gpu.unreadable->message;
    if (said) proposal.findings.push_back(std::move(finding));
    return;
  }
  if (finding.observed == finding.desired) {
    if (said) proposal.findings.push_back(std::move(finding));
    return;
  }
  finding.verdict = Finding::Verdict::differs;
  finding.reason = remark(gpu, state);
  auto step = switch_step(gpu, enable, state);
  step.action.address = finding.address;
  set_titles(step, enable, selected.label);
  step.explanation = finding.reason;
  step.blocked_by = obstacles(gpu, enable, state);
  if (!state.tool_there || !*state.tool_there) step.needs.push_back(gpu_facts::sriov_manage_there());
  if (!said || wish.implied) step.reason = ActionReason::prerequisite;
  step.claims =
      Claim{finding.object, {{"gpu", identity_of(gpu)}, {"functions", state.word_of(gpu)}}, word(enable)};
  proposal.steps.push_back(std::move(step));
  proposal.findings.push_back(std::move(finding));
}

/// What the record says they were: "enabled" or "disabled"; empty: it is of another GPU, or they were
/// neither.
std::string former_word(const Ownership::Object& owned, const Gpu& gpu) {
  const auto was = former_text(owned, gpu, "functions");
  return was == word(true) || was == word(false) ? was : std::string{};
}

/// Why the functions cannot be switched back; empty: they can.
std::string obstacle_to_give_back(const Gpu& gpu, bool enable, const FunctionsState& state,
                                  const PlanInput& input) {
  if (const auto reasons = obstacles(gpu, enable, state); !reasons.empty()) return reasons.front();
  if (auto why = tool_obstacle(state); !why.empty()) return why;
  const auto mig = state.with_instances.find(gpu.address);
  if (mig != state.with_instances.end() &&
      has_foreign_instances(gpu, mig->second, input.owned.of(input.document)))
    return "MIG instances that gpuhost did not make lie on the GPU, and would be lost";
  if (has_foreign_vgpus(gpu, input.owned.of(input.document)))
    return "a vGPU that gpuhost did not make is on them";
  if (gpu.driver == gpu_facts::nvidia_driver) return {};
  // The driver may be given back in the same plan.
  const bool returns =
      enable && state.nvidia_there && input.owned.find(input.document, gpu_object(gpu, "driver"));
  return returns ? std::string{} : "NVIDIA's driver does not have the GPU";
}

void give_back(const std::string& object, const Ownership::Object& owned, const Gpu* gpu,
               const FunctionsState& state, const PlanInput& input, Proposal& proposal) {
  const auto leave = [&](const std::string& why) {
    if (!why.empty())
      proposal.notes.push_back(
          {Note::Severity::warning, object,
           "the document no longer names them, and the virtual functions are left as they are: " + why});
    proposal.steps.push_back(forget_step(Functions::kind_name, object,
                                         gpu != nullptr ? Json(state.word_of(*gpu)) : owned.applied));
  };
  if (gpu == nullptr) return leave("the GPU is not there any more");
  const auto cannot_tell = [&](const char* what, const Error& why) {
    proposal.notes.push_back(
        {Note::Severity::warning, object,
         fmt::format("the document no longer names them, and {} cannot be told: {}", what, why.message),
         why.advice});
  };
  if (gpu->unreadable) return cannot_tell("whether they are on", *gpu->unreadable);
  const auto was = former_word(owned, *gpu);
  if (was.empty()) return leave("what they were before is not known of this GPU");
  if (was == state.word_of(*gpu)) return leave({});
  if (const auto& unknown = state.usage->unknown()) return cannot_tell("whether the GPU is in use", *unknown);
  const bool enable = was == word(true);
  if (const auto why = obstacle_to_give_back(*gpu, enable, state, input); !why.empty()) return leave(why);
  auto step = switch_step(*gpu, enable, state);
  step.title = fmt::format("{} the virtual functions of GPU {} again", enable ? "enable" : "disable",
                           gpu->address.to_string());
  step.progress = fmt::format("giving the virtual functions of GPU {} back", gpu->address.to_string());
  step.gives_back = object;
  step.reason = ActionReason::removed_from_desired;
  proposal.steps.push_back(std::move(step));
}

}  // namespace

/// Functions that are on are switched off for as long as somebody needs them to be, and on again: the GPU is
/// not reset while it has some.
std::vector<Offer> Functions::offer_from(const Fact& fact, const FunctionsState& state,
                                         const PlanInput&) const {
  const auto* inventory = gpus_or_none(*state.inventory);
  if (inventory == nullptr) return {};
  for (const auto& gpu : inventory->gpus) {
    if (fact != gpu_facts::functions_disabled(gpu.address)) continue;
    if (std::string_view(state.word_of(gpu)) != word(true)) return {};
    Offer offer{.acquire = switch_step(gpu, false, state), .release = switch_step(gpu, true, state)};
    offer.release->before = word(false);
    offer.release->needs = {gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver),
                            gpu_facts::manager_installed()};
    set_titles(*offer.acquire, false, gpu.address.to_string());
    set_titles(*offer.release, true, gpu.address.to_string());
    return {std::move(offer)};
  }
  return {};
}

std::string Functions::obstacle_in(const Fact& fact, const FunctionsState& state) const {
  return fact == gpu_facts::sriov_manage_there() ? tool_obstacle(state) : std::string{};
}

Proposal Functions::plan_from(const FunctionsState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  std::set<PciAddress> managed;
  std::set<PciAddress> under_instances;
  bool some_absent = false;
  bool some_unknown = false;
  for (const auto& [entry, wish] : wishes_) {
    const auto selection = select_gpus(entry, *inventory);
    some_absent = some_absent || !selection.absent.empty();
    some_unknown = some_unknown || !selection.unknown.empty();
    for (const auto& selected : selection.gpus) {
      if (wish.has_instances) under_instances.insert(selected.gpu->address);
      if (!is_managed(wish, *selected.gpu)) continue;
      managed.insert(selected.gpu->address);
      compare(selected, wish, state, proposal);
    }
  }
  if (state.usage == nullptr || some_unknown) return proposal;  // an unknown selector may mean any GPU
  for (const auto& [object, owned] : input.owned.of(input.document)) {
    const auto address = gpu_of_object(object, field);
    if (!address || managed.contains(*address)) continue;
    const auto* gpu = inventory->find(*address);
    if (gpu == nullptr && some_absent) continue;  // the document may name it still
    if (under_instances.contains(*address)) {
      proposal.notes.push_back({Note::Severity::info, object,
                                "the virtual functions stay while the document lists GPU instances, "
                                "which would be lost with them"});
      continue;
    }
    give_back(object, owned, gpu, state, input, proposal);
  }
  return proposal;
}

}  // namespace gpuhost
