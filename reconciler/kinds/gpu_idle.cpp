#include "kinds/gpu_idle.hpp"

#include "kinds/gpu_facts.hpp"

namespace gpuhost {

namespace {

Fact inactive(const GpuOpener& opener) {
  return {"unit/" + opener.unit, "inactive"};
}

}  // namespace

void need_idle(const Gpu& gpu, const Usage& usage, Step& step) {
  step.needs.push_back(gpu_facts::idle(gpu.address));
  for (const auto& opener : usage.openers())
    if (opener.state.is_inactive()) step.needs_now.push_back(inactive(opener));
}

void need_idle_once_bound(const Gpu& gpu, const Usage& usage, Step& step) {
  need_idle(gpu, usage, step);
  if (gpu.driver == gpu_facts::nvidia_driver) return;  // who opens it has it already
  for (const auto& opener : usage.openers())
    if (!opener.state.is_inactive()) step.needs.push_back(inactive(opener));
}

}  // namespace gpuhost
