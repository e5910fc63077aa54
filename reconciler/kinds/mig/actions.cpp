#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "inventory/holders.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/mig/kind.hpp"
#include "kinds/mig/layout.hpp"
#include "kinds/mig/profiles.hpp"
#include "kinds/mig/steps.hpp"

namespace gpuhost {

namespace {

/// What an action says, read from its arguments.
struct Task {
  PciAddress gpu;
  bool on = false;      ///< of set_mode
  std::string profile;  ///< of the others
  MigPlacement placement;
  std::optional<std::vector<unsigned>> compute;
};

Result<Task> task_of(const StepAction& action) {
  const auto damaged = fail(ErrorKind::invalid, fmt::format("the step for {} is damaged", action.address));
  const auto& arguments = action.arguments;
  if (!arguments.is_object()) return damaged;
  try {
    Task task;
    const auto gpu = PciAddress::parse(arguments.at("gpu").get<std::string>());
    if (!gpu) return damaged;
    task.gpu = *gpu;
    if (action.verb == "set_mode") {
      task.on = arguments.at("on").get<bool>();
      return task;
    }
    task.profile = arguments.at("profile").get<std::string>();
    task.placement.start = arguments.at("start").get<unsigned>();
    task.placement.size = arguments.value("size", 0U);
    if (arguments.contains("compute")) task.compute = arguments.at("compute").get<std::vector<unsigned>>();
    return task;
  } catch (const Json::exception&) {
    return damaged;
  }
}

/// The GPU as its driver tells now.
Result<Mig> mig_now(const PciAddress& gpu, const HostView& host) {
  const auto reports = gpu_reports_of(host);
  if (!*reports) return std::unexpected(reports->error());
  const auto found = (**reports).find(gpu);
  if (found == (**reports).end())
    return fail(ErrorKind::unavailable, fmt::format("NVIDIA's driver no longer has GPU {}", gpu.to_string()));
  const auto& mig = found->second.mig;
  if (mig) return *mig;
  return fail(mig.is_absent() ? ErrorKind::unsupported : ErrorKind::unavailable,
              mig.is_absent() ? fmt::format("GPU {} cannot be partitioned", gpu.to_string()) : mig.reason());
}

/// Null: it is not there.
Result<const GpuInstance*> instance_in(const Mig& mig, const Task& task) {
  if (mig.instances.is_unknown())
    return fail(ErrorKind::unavailable, fmt::format("the GPU instances of GPU {} cannot be told: {}",
                                                    task.gpu.to_string(), mig.instances.reason()));
  if (!mig.instances || !mig.profiles) return nullptr;
  for (const auto& instance : *mig.instances) {
    const auto* profile = find_profile(*mig.profiles, instance.profile);
    if (profile != nullptr && profile->name == task.profile &&
        instance.placement.start == task.placement.start)
      return &instance;
  }
  return nullptr;
}

/// Largest first.
std::vector<unsigned> compute_of(const GpuInstance& instance) {
  std::vector<unsigned> slices;
  for (const auto& one : instance.compute_instances) slices.push_back(one.placement.size);
  std::ranges::sort(slices, std::ranges::greater{});
  return slices;
}

Result<void> set_mode(const Task& task, Host& host) {
  const auto inventory = inventory_of(host.view);
  if (!*inventory) return std::unexpected(inventory->error());
  if (const auto* gpu = (**inventory).find(task.gpu))
    if (auto unused = check_unused(*gpu, host.view); !unused) return unused;
  const auto now = host.gpus.set_mig_mode(task.gpu, task.on);
  if (!now) return std::unexpected(now.error());
  if (now->current == task.on) return {};
  return fail(
      ErrorKind::busy,
      fmt::format("the MIG mode of GPU {} stays pending: somebody holds the GPU", task.gpu.to_string()),
      "end what uses it, such as monitoring, and apply again");
}

/// A compute instance would take its slices from the vGPUs on the instance.
Result<void> check_without_vgpus(const Task& task, const GpuInstance& instance, const HostView& host) {
  const auto inventory = inventory_of(host);
  const auto* gpu = *inventory ? (**inventory).find(task.gpu) : nullptr;
  if (gpu == nullptr || !carries_vgpus(*gpu, instance)) return {};
  return fail(ErrorKind::busy,
              fmt::format("vGPUs are on GPU instance {} of GPU {}, which takes no compute instances then",
                          instance.id, task.gpu.to_string()),
              "plan again");
}

/// Instances that stay keep what runs on them.
Result<void> set_compute(const Task& task, const GpuInstance& instance, Host& host) {
  auto missing = task.compute.value_or(compute_of(instance));
  if (missing != compute_of(instance))
    if (auto free = check_without_vgpus(task, instance, host.view); !free) return free;
  for (const auto& there : instance.compute_instances) {
    const auto wanted = std::ranges::find(missing, there.placement.size);
    if (wanted != missing.end()) {
      missing.erase(wanted);
      continue;
    }
    if (auto gone = host.gpus.destroy_compute_instance(task.gpu, instance.id, there.id); !gone) return gone;
  }
  for (const auto slices : missing)
    if (auto made = host.gpus.create_compute_instance(task.gpu, instance.id, slices); !made)
      return std::unexpected(made.error());
  return {};
}

Result<void> create(const Task& task, const Mig& mig, Host& host) {
  const auto* profile = mig.profiles ? find_profile(*mig.profiles, task.profile) : nullptr;
  if (profile == nullptr)
    return fail(ErrorKind::unsupported,
                fmt::format("GPU {} has no MIG profile {}", task.gpu.to_string(), task.profile));
  const auto made = host.gpus.create_gpu_instance(task.gpu, profile->id, task.placement);
  if (!made) return std::unexpected(made.error());
  return set_compute(task, *made, host);
}

}  // namespace

Result<bool> MigLayouts::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto mig = mig_now(task->gpu, host);
  if (!mig) return std::unexpected(mig.error());
  if (action.verb == "set_mode") return mig->mode == GpuSwitch{task->on, task->on};
  const auto instance = instance_in(*mig, *task);
  if (!instance) return std::unexpected(instance.error());
  if (action.verb == "destroy") return *instance == nullptr;
  return *instance != nullptr && (!task->compute || compute_of(**instance) == *task->compute);
}

Result<std::optional<Undo>> MigLayouts::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto mig = mig_now(task->gpu, host);
  if (!mig) return std::unexpected(mig.error());
  if (action.verb == "set_mode") {
    back.action.arguments["on"] = mig->mode.current;
    back.disruption = Disruption::remove_idle;
    return back;
  }
  const auto instance = instance_in(*mig, *task);
  if (!instance) return std::unexpected(instance.error());
  if (*instance == nullptr) {
    back.action.verb = "destroy";
    return back;
  }
  back.action.verb = action.verb == "destroy" ? "create" : "set_compute";
  back.action.arguments["size"] = (*instance)->placement.size;
  back.action.arguments["compute"] = compute_of(**instance);
  return back;
}

Result<void> MigLayouts::run(const StepAction& action, Host& host) const {
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  if (action.verb == "set_mode") return set_mode(*task, host);
  const auto mig = mig_now(task->gpu, host.view);
  if (!mig) return std::unexpected(mig.error());
  const auto instance = instance_in(*mig, *task);
  if (!instance) return std::unexpected(instance.error());
  if (action.verb == "destroy")
    return *instance == nullptr ? Result<void>{} : host.gpus.destroy_gpu_instance(task->gpu, (*instance)->id);
  if (action.verb != "create" && action.verb != "set_compute")
    return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
  if (*instance != nullptr) return set_compute(*task, **instance, host);
  return create(*task, *mig, host);
}

}  // namespace gpuhost
