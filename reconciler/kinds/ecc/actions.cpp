#include <fmt/format.h>

#include "host/gpu_reset.hpp"
#include "kinds/ecc/kind.hpp"
#include "kinds/gpu_ownership.hpp"

namespace gpuhost {

namespace {

struct Task {
  PciAddress gpu;
  bool on = false;
  bool resets = false;
};

Result<Task> task_of(const StepAction& action) {
  const auto damaged = fail(ErrorKind::invalid, fmt::format("the step for {} is damaged", action.address));
  try {
    const auto gpu = PciAddress::parse(action.arguments.at("gpu").get<std::string>());
    if (!gpu) return damaged;
    return Task{*gpu, action.arguments.at("on").get<bool>(), action.arguments.at("reset").get<bool>()};
  } catch (const Json::exception&) {
    return damaged;
  }
}

Result<GpuSwitch> ecc_now(const PciAddress& gpu, const HostView& host) {
  const auto reports = gpu_reports_of(host);
  if (!*reports) return std::unexpected(reports->error());
  const auto found = (**reports).find(gpu);
  if (found == (**reports).end())
    return fail(ErrorKind::unavailable, fmt::format("NVIDIA's driver no longer has GPU {}", gpu.to_string()));
  const auto& ecc = found->second.ecc;
  if (ecc) return *ecc;
  return fail(ecc.is_absent() ? ErrorKind::unsupported : ErrorKind::unavailable,
              ecc.is_absent() ? fmt::format("GPU {} has no ECC that can be switched", gpu.to_string())
                              : ecc.reason());
}

}  // namespace

Result<bool> Ecc::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = ecc_now(task->gpu, host);
  if (!now) return std::unexpected(now.error());
  return now->pending == task->on && (!task->resets || now->current == task->on);
}

Result<std::optional<Undo>> Ecc::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = ecc_now(task->gpu, host);
  if (!now) return std::unexpected(now.error());
  back.action.arguments["on"] = task->resets ? now->current : now->pending;
  if (task->resets) back.disruption = Disruption::remove_idle;
  return back;
}

Result<void> Ecc::run(const StepAction& action, Host& host) const {
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = host.gpus.set_ecc(task->gpu, task->on);
  if (!now) return std::unexpected(now.error());
  if (!task->resets || now->current == task->on) return {};
  const auto inventory = inventory_of(host.view);
  if (!*inventory) return std::unexpected(inventory->error());
  if (const auto* gpu = (**inventory).find(task->gpu))
    if (auto unused = check_unused(*gpu, host.view); !unused) return unused;
  return reset_gpu(task->gpu, host);
}

}  // namespace gpuhost
