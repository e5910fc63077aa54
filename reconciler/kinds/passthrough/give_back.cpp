#include "kinds/passthrough/give_back.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_idle.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/passthrough/kind.hpp"
#include "kinds/passthrough/steps.hpp"
#include "kinds/vgpu_functions.hpp"

namespace gpuhost {

namespace {

/// Why a GPU cannot go back to what it was; empty: it can.
std::string obstacle(const Gpu* gpu, const std::vector<Binding>& goals, const PlanInput& input) {
  if (gpu == nullptr) return "it is not there any more";
  if (goals.empty()) return "it is another GPU than the one that gpuhost changed";
  // What another kind gives back first does not count.
  if (!gpu->functions.empty() && !input.owned.find(input.document, gpu_object(*gpu, "functions")))
    return "it has virtual functions that gpuhost did not enable";
  if (has_foreign_vgpus(*gpu, input.owned.of(input.document)))
    return "it has a vGPU that gpuhost did not make";
  return {};
}

std::vector<Binding> present_bindings(const Gpu& gpu, const std::vector<Binding>& goals) {
  std::vector<Binding> now;
  for (const auto& goal : goals) {
    const auto companion = std::ranges::find(gpu.companions, goal.address, &PciFunction::address);
    now.push_back(
        binding_of(companion == gpu.companions.end() ? static_cast<const PciFunction&>(gpu) : *companion));
  }
  return now;
}

Step give_back_step(const std::string& object, const Gpu& gpu, const FormerDrivers& former,
                    const std::vector<Binding>& goals) {
  const auto own = std::ranges::find(goals, gpu.address, &Binding::address);
  const std::string driver = own == goals.end() ? gpu.driver : own->driver;
  const auto now = present_bindings(gpu, goals);
  auto step = bind_step(gpu, driver, now, goals);
  step.title =
      fmt::format("give GPU {} back to {}", gpu.address.to_string(), driver.empty() ? "no driver" : driver);
  step.progress = fmt::format("giving GPU {} back", gpu.address.to_string());
  step.gives_back = object;
  step.reason = ActionReason::removed_from_desired;
  if (std::ranges::equal(now, goals, agrees)) {
    step.provides = step.ends = {};
    step.affects = {};
    return step;
  }
  if (driver != vfio_driver) add_guests_of(gpu, former.defined, step);
  need_idle(gpu, former.usage, step);
  if (!gpu.functions.empty()) step.needs.push_back(gpu_facts::functions_disabled(gpu.address));
  if (gpu.has_vgpus()) step.needs.push_back(gpu_facts::without_vgpus(gpu.address));
  return step;
}

}  // namespace

void give_back_drivers(const FormerDrivers& former, const PlanInput& input, Proposal& proposal) {
  bool some_absent = false;
  for (const auto& entry : former.entries) {
    const auto selection = select_gpus(entry, former.inventory);
    if (!selection.unknown.empty()) return;  // it may mean any GPU
    some_absent = some_absent || !selection.absent.empty();
  }
  for (const auto& [object, owned] : input.owned.of(input.document)) {
    const auto address = gpu_of_object(object, Passthrough::field);
    if (!address || former.wanted.contains(*address)) continue;
    const auto* gpu = former.inventory.find(*address);
    if (gpu == nullptr && some_absent) continue;  // the document may name it still
    const auto why_wait = gpu == nullptr           ? std::nullopt
                          : former.usage.unknown() ? former.usage.unknown()
                                                   : unreadable_in_group(*gpu);
    if (why_wait) {
      proposal.notes.push_back(
          {Note::Severity::warning, object,
           "the document no longer names it, and whether it is in use cannot be told: " + why_wait->message,
           why_wait->advice});
      continue;
    }
    const auto goals =
        gpu == nullptr ? std::vector<Binding>{} : recorded_bindings(owned, *gpu, former.drivers);
    const auto why = obstacle(gpu, goals, input);
    if (gpu == nullptr || !why.empty()) {
      proposal.notes.push_back(
          {Note::Severity::warning, object,
           fmt::format("the document no longer names it, and its driver is left: {}", why)});
      proposal.steps.push_back(forget_step(Passthrough::kind_name, object, owned.applied));
      continue;
    }
    proposal.steps.push_back(give_back_step(object, *gpu, former, goals));
  }
}

}  // namespace gpuhost
