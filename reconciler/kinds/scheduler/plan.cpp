#include <set>

#include <fmt/format.h>

#include "catalog/boards.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/scheduler/kind.hpp"

namespace gpuhost {

namespace {

Step set_step(const Gpu& gpu, std::string_view label, std::string address, const VgpuScheduler& now,
              const VgpuScheduler& wanted) {
  Step step;
  step.after = json_of(wanted);
  step.action = {std::string(Scheduler::kind_name), "set", std::move(address),
                 Json{{"gpu", gpu.address.to_string()}, {"scheduler", step.after}}};
  step.actions = {"update"};
  step.before = json_of(now);
  const auto policy = step.after["policy"].get<std::string>();
  step.title = fmt::format("set the vGPU scheduler of GPU {} to {}", label, policy);
  step.progress = fmt::format("setting the vGPU scheduler of GPU {}", label);
  step.needs_now = {gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver)};
  step.provides = {gpu_facts::settled(gpu.address)};
  step.affects = {{.type = "gpu", .name = gpu.address.to_string()}};
  step.lanes = {gpu_facts::subject(gpu.address)};
  return step;
}

void compare(const SelectedGpu& selected, const VgpuScheduler& wanted, const SchedulerState& state,
             Proposal& proposal) {
  const auto& gpu = *selected.gpu;
  const auto address = gpu_address(selected, Scheduler::field);
  const auto* board = catalog::board_of(gpu.device_id, gpu.subsystem_device_id);
  if (board != nullptr && board->architecture == catalog::Architecture::maxwell &&
      wanted.policy != VgpuScheduler::Policy::best_effort) {
    proposal.notes.push_back({Note::Severity::error, address,
                              fmt::format("GPU {} is a {}, which has the scheduler best-effort only",
                                          selected.label, board->product),
                              "leave out scheduler"});
    return;
  }
  const auto seen = state.scheduler_of(gpu);
  if (!seen) return;  // with the driver comes what its registry key says
  if (seen->is_absent()) {
    proposal.notes.push_back(
        {Note::Severity::info, address,
         fmt::format("vGPUs take no turns on GPU {} now (MIG, or no vGPU manager): the scheduler counts from "
                     "the next load of NVIDIA's driver on",
                     selected.label)});
    return;
  }
  Finding finding{
      .address = address, .desired = json_of(wanted), .object = gpu_object(gpu, Scheduler::field)};
  if (seen->is_unknown()) {
    finding.verdict = Finding::Verdict::unknown;
    finding.reason = seen->reason();
  } else {
    finding.observed = json_of(**seen);
    if (is_as_wanted(**seen, wanted)) {
      finding.observed = finding.desired;
    } else if (gpu.has_vgpus()) {
      finding.verdict = Finding::Verdict::pending_reboot;
      finding.reason =
          "vGPUs are on the GPU: NVIDIA's driver takes it from its registry key when it is loaded";
    } else {
      finding.verdict = Finding::Verdict::differs;
      auto step = set_step(gpu, selected.label, address, **seen, wanted);
      step.claims =
          Claim{finding.object, {{"gpu", identity_of(gpu)}, {"scheduler", json_of(**seen)}}, json_of(wanted)};
      proposal.steps.push_back(std::move(step));
    }
  }
  proposal.findings.push_back(std::move(finding));
}

/// What cannot be set now is what the driver starts with, without the registry key.
void give_back(const std::string& object, const Ownership::Object& owned, const Gpu* gpu,
               const SchedulerState& state, Proposal& proposal) {
  const auto forget = [&] {
    proposal.steps.push_back(forget_step(Scheduler::kind_name, object, owned.applied));
  };
  if (gpu == nullptr || gpu->has_vgpus() || !owned.before.is_object() ||
      !is_identity_of(owned.before.value("gpu", std::string{}), *gpu))
    return forget();
  const auto was = scheduler_from(owned.before.value("scheduler", Json()));
  const auto seen = state.scheduler_of(*gpu);
  if (!was || !seen || !*seen || is_as_wanted(**seen, *was)) return forget();
  auto step = set_step(*gpu, gpu->address.to_string(), object, **seen, *was);
  step.gives_back = object;
  step.reason = ActionReason::removed_from_desired;
  proposal.steps.push_back(std::move(step));
}

}  // namespace

Proposal Scheduler::plan_from(const SchedulerState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  std::set<PciAddress> managed;
  const bool certain = select_each(wishes_, *inventory, [&](const auto& selected, const auto& wish) {
    managed.insert(selected.gpu->address);
    compare(selected, wish, state, proposal);
  });
  if (!certain) return proposal;
  for (const auto& [object, owned] : input.owned.of(input.document))
    if (const auto address = gpu_of_object(object, field); address && !managed.contains(*address))
      give_back(object, owned, inventory->find(*address), state, proposal);
  return proposal;
}

}  // namespace gpuhost
