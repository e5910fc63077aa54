#include <fmt/format.h>

#include "kinds/gpu_ownership.hpp"
#include "kinds/sizes/kind.hpp"

namespace gpuhost {

namespace {

struct Task {
  PciAddress gpu;
  bool mixed = false;
};

Result<Task> task_of(const StepAction& action) {
  const auto damaged = fail(ErrorKind::invalid, fmt::format("the step for {} is damaged", action.address));
  if (!action.arguments.is_object()) return damaged;
  const auto gpu = PciAddress::parse(action.arguments.value("gpu", std::string{}));
  const auto sizes = action.arguments.value("sizes", std::string{});
  if (!gpu || (sizes != sizes_word(true) && sizes != sizes_word(false))) return damaged;
  return Task{*gpu, sizes == sizes_word(true)};
}

/// A GPU that has no such mode, as with MIG on, has vGPUs of one size.
Result<bool> mixed_now(const PciAddress& gpu, const HostView& host) {
  const auto reports = gpu_reports_of(host);
  if (!*reports) return std::unexpected(reports->error());
  const auto found = (**reports).find(gpu);
  if (found == (**reports).end())
    return fail(ErrorKind::unavailable, fmt::format("NVIDIA's driver no longer has GPU {}", gpu.to_string()));
  const auto& mixed = found->second.mixed_sizes;
  if (mixed.is_unknown()) return fail(ErrorKind::unavailable, mixed.reason());
  return mixed && *mixed;
}

}  // namespace

Result<bool> Sizes::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = mixed_now(task->gpu, host);
  if (!now) return std::unexpected(now.error());
  return *now == task->mixed;
}

Result<std::optional<Undo>> Sizes::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = mixed_now(task->gpu, host);
  if (!now) return std::unexpected(now.error());
  back.action.arguments["sizes"] = sizes_word(*now);
  return back;
}

Result<void> Sizes::run(const StepAction& action, Host& host) const {
  if (action.verb == forget_verb) return {};
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  return host.gpus.set_mixed_sizes(task->gpu, task->mixed);
}

}  // namespace gpuhost
