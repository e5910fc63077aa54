#include <algorithm>

#include <fmt/format.h>

#include "catalog/display_modes.hpp"
#include "kinds/display_mode/kind.hpp"
#include "kinds/display_mode/tool.hpp"
#include "kinds/gpu_ownership.hpp"

namespace gpuhost {

namespace {

struct Task {
  std::string tool;
  std::string argument;
  std::string mode;
  std::vector<PciAddress> gpus;
};

Result<Task> task_of(const StepAction& action) {
  const auto damaged = fail(ErrorKind::invalid, fmt::format("the step for {} is damaged", action.address));
  try {
    const auto& arguments = action.arguments;
    Task task{.tool = arguments.at("tool").get<std::string>(),
              .argument = arguments.at("argument").get<std::string>(),
              .mode = arguments.at("mode").get<std::string>(),
              .gpus = {}};
    for (const auto& name : arguments.at("gpus")) {
      const auto gpu = PciAddress::parse(name.get<std::string>());
      if (!gpu) return damaged;
      task.gpus.push_back(*gpu);
    }
    return task.gpus.empty() ? Result<Task>(damaged) : task;
  } catch (const Json::exception&) {
    return damaged;
  }
}

/// What the GPU is from the next boot on; not_found: it is not there.
Result<std::string> mode_at_boot(const PciAddress& address, const HostView& host) {
  const auto inventory = inventory_of(host);
  if (!*inventory) return std::unexpected(inventory->error());
  const auto* gpu = (**inventory).find(address);
  if (gpu == nullptr)
    return fail(ErrorKind::not_found, fmt::format("GPU {} is not there", address.to_string()));
  if (const auto staged = staged_modes(host.files); staged.contains(address)) return staged.at(address);
  const auto mode = mode_of(*gpu, host.files);
  if (mode) return *mode;
  return fail(ErrorKind::unavailable, mode.is_unknown() ? mode.reason() : "its board has no switch of modes");
}

}  // namespace

Result<bool> DisplayModes::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  if (is_driver_action(action)) return is_driver_as_wanted(action, host.modules);
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  for (const auto& gpu : task->gpus) {
    const auto mode = mode_at_boot(gpu, host);
    if (!mode) return std::unexpected(mode.error());
    if (*mode != task->mode) return false;
  }
  return true;
}

Result<std::optional<Undo>> DisplayModes::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  if (is_driver_action(action)) return Undo{driver_undo(action), Disruption::reload_driver};
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = mode_at_boot(task->gpus.front(), host);
  if (!now) return std::unexpected(now.error());
  const auto inventory = inventory_of(host);
  const auto* gpu = (**inventory).find(task->gpus.front());
  const auto* board = catalog::board_of(gpu->device_id, gpu->subsystem_device_id);
  const auto modes =
      board == nullptr ? std::vector<catalog::DisplayMode>{} : catalog::display_modes_of(*board);
  const auto former = std::ranges::find(modes, *now, &catalog::DisplayMode::mode);
  if (former == modes.end()) return std::nullopt;
  back.action.arguments["argument"] = former->argument;
  back.action.arguments["mode"] = former->mode;
  return back;
}

Result<void> DisplayModes::run(const StepAction& action, Host& host) const {
  if (is_driver_action(action)) return change_driver(action, host);
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  auto staged = staged_modes(host.view.files);
  for (const auto& gpu : task->gpus) {
    if (auto done = switch_display_mode(task->tool, task->argument, gpu, host.commands); !done) return done;
    staged.insert_or_assign(gpu, task->mode);
    if (auto noted = stage_modes(staged, host.view.files, host.files); !noted) return noted;
  }
  return {};
}

}  // namespace gpuhost
