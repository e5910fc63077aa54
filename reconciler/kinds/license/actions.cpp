#include <algorithm>

#include <fmt/format.h>

#include "kinds/gpu_ownership.hpp"
#include "kinds/license/kind.hpp"

namespace gpuhost {

namespace {

struct Task {
  std::string key;
  std::optional<std::string> line;
};

/// The step may be from a file: it changes nothing but what a document could ask for.
Result<Task> task_of(const StepAction& action) {
  const auto damaged = fail(ErrorKind::invalid, fmt::format("the step for {} is damaged", action.address));
  if (action.verb != set_line_verb || !action.arguments.is_object()) return damaged;
  Task task{.key = action.arguments.value("key", std::string{}), .line = {}};
  const auto line = action.arguments.value("line", Json());
  if (line.is_string()) task.line = line.get<std::string>();
  const bool known = std::ranges::find(gridd_keys, task.key) != gridd_keys.end();
  const bool whole = task.line ? sets_gridd_key(*task.line, task.key) : line.is_null();
  return known && whole ? Result<Task>(std::move(task)) : damaged;
}

Result<std::vector<std::string>> lines_now(const Task& task, const HostView& host) {
  const auto config = GriddConfig::read(host.files);
  if (!config) return std::unexpected(config.error());
  return config->lines_of(task.key);
}

}  // namespace

Result<bool> License::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = lines_now(*task, host);
  if (!now) return std::unexpected(now.error());
  return task->line ? *now == std::vector{*task->line} : now->empty();
}

Result<std::optional<Undo>> License::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  const auto now = lines_now(*task, host);
  if (!now) return std::unexpected(now.error());
  if (now->size() > 1) return std::nullopt;  // another hand's
  back.action.arguments["line"] = now->empty() ? Json() : Json(now->front());
  return back;
}

Result<void> License::run(const StepAction& action, Host& host) const {
  const auto task = task_of(action);
  if (!task) return std::unexpected(task.error());
  auto config = GriddConfig::read(host.view.files);
  if (!config) return std::unexpected(config.error());
  config->set(task->key, task->line);
  return config->write(host.files);
}

}  // namespace gpuhost
