#include <fmt/format.h>

#include "kinds/gpu_ownership.hpp"
#include "kinds/scheduler/kind.hpp"

namespace gpuhost {

namespace {

struct Task {
  PciAddress gpu;
  VgpuScheduler scheduler;
};

Result<Task> task_of(const StepAction& action) {
  const auto damaged = fail(ErrorKind::invalid, fmt::format("the step for {} is damaged", action.address));
  if (!action.arguments.is_object()) return damaged;
  const auto gpu = PciAddress::parse(action.arguments.value("gpu", std::string{}));
  const auto scheduler = scheduler_from(action.arguments.value("scheduler", Json()));
  if (!gpu || !scheduler) return damaged;
  return Task{*gpu, *scheduler};
}

Result<VgpuScheduler> scheduler_now(const PciAddress& gpu, const HostView& host) {
  const auto reports = gpu_reports_of(host);
  if (!*reports) return std::unexpected(reports->error());
  const auto found = (**reports).find(gpu);
  if (found != (**reports).end() && found->second.scheduler) return *found->second.scheduler;
  return fail(ErrorKind::unavailable,
              fmt::format("NVIDIA's driver tells no vGPU scheduler of GPU {}", gpu.to_string()));
}

}  // namespace

Result<bool> Scheduler::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = scheduler_now(task->gpu, host);
  if (!now) return std::unexpected(now.error());
  return is_as_wanted(*now, task->scheduler);
}

Result<std::optional<Undo>> Scheduler::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = scheduler_now(task->gpu, host);
  if (!now) return std::unexpected(now.error());
  back.action.arguments["scheduler"] = json_of(*now);
  return back;
}

Result<void> Scheduler::run(const StepAction& action, Host& host) const {
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  return host.gpus.set_scheduler(task->gpu, task->scheduler);
}

}  // namespace gpuhost
