#include "kinds/kernel_modules/steps.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

constexpr const char* modprobe_lane = "modprobe.d";
constexpr const char* boot_list_lane = "modules-load.d";

Json json_of(const OwnModprobeFile::Entry& entry) {
  if (entry.empty()) return nullptr;
  Json shown = Json::object();
  if (entry.blocked) shown["loading"] = "blocked";
  if (!entry.options.empty()) shown["options"] = entry.options;
  return shown;
}

/// "options a=1 b=2", "block", or both.
std::string words_of(const OwnModprobeFile::Entry& entry) {
  std::vector<std::string> parts;
  if (entry.blocked) parts.emplace_back("block");
  if (!entry.options.empty()) {
    std::string options = "options";
    for (const auto& [name, value] : entry.options) options += " " + kernel_word(name, value);
    parts.push_back(std::move(options));
  }
  return parts.empty() ? "nothing" : join(parts, " and ");
}

Step step_of(const char* verb, const std::string& module, Json arguments) {
  Step step;
  arguments["module"] = module;
  step.action = {std::string(KernelModules::kind_name), verb, module_address(module), std::move(arguments)};
  return step;
}

}  // namespace

std::string module_address(const std::string& module) {
  return fmt::format("kernel.modules[{}]", module);
}

Fact configured_fact(const std::string& module) {
  return {"module/" + module, "configured"};
}
Fact loaded_fact(const std::string& module) {
  return {"module/" + module, "loaded"};
}
Fact unloaded_fact(const std::string& module) {
  return {"module/" + module, "unloaded"};
}

Step configure_step(const std::string& module, const OwnModprobeFile::Entry& before,
                    const OwnModprobeFile::Entry& after) {
  auto step =
      step_of(module_verb::configure, module, {{"blocked", after.blocked}, {"options", after.options}});
  step.actions = {before.empty() ? "create" : after.empty() ? "delete" : "update"};
  step.title = fmt::format("write {} for module {} to {}", words_of(after), module, OwnModprobeFile::path);
  step.progress = fmt::format("writing {}", OwnModprobeFile::path);
  step.before = json_of(before);
  step.after = json_of(after);
  step.provides = {configured_fact(module)};
  step.lanes = {modprobe_lane};
  return step;
}

Step load_at_boot_step(const std::string& module, bool listed) {
  auto step = step_of(module_verb::load_at_boot, module, {{"listed", listed}});
  step.actions = {listed ? "create" : "delete"};
  step.title = listed ? fmt::format("load module {} at every boot", module)
                      : fmt::format("no longer load module {} at boot", module);
  step.progress = fmt::format("writing {}", OwnBootList::path);
  step.before = {{"load_at_boot", !listed}};
  step.after = {{"load_at_boot", listed}};
  step.lanes = {boot_list_lane};
  return step;
}

Step load_step(const std::string& module) {
  auto step = step_of(module_verb::load, module, Json::object());
  step.actions = {"load"};
  step.title = fmt::format("load module {}", module);
  step.progress = fmt::format("loading module {}", module);
  step.before = "unloaded";
  step.after = "loaded";
  step.provides = {loaded_fact(module)};
  step.ends = {unloaded_fact(module)};
  step.reversible = Reversible::best_effort;  // the modules that it needs stay loaded
  step.lanes = {"module/" + module};
  return step;
}

Step unload_step(const std::string& module) {
  auto step = step_of(module_verb::unload, module, Json::object());
  step.actions = {"unload"};
  step.title = fmt::format("unload module {}", module);
  step.progress = fmt::format("unloading module {}", module);
  step.before = "loaded";
  step.after = "unloaded";
  step.provides = {unloaded_fact(module)};
  step.ends = {loaded_fact(module)};
  step.disruption = Disruption::remove_idle;
  step.lanes = {"module/" + module};
  return step;
}

Step give_back_step(const std::string& module, const OwnModprobeFile::Entry& configured, bool listed) {
  auto step = step_of(module_verb::give_back, module, Json::object());
  step.actions = {"delete"};
  step.title = fmt::format("give back module {}", module);
  step.progress = fmt::format("giving back module {}", module);
  step.before = {{"configured", json_of(configured)}, {"load_at_boot", listed}};
  step.after = {{"configured", nullptr}, {"load_at_boot", false}};
  step.provides = {configured_fact(module)};
  step.lanes = {modprobe_lane, boot_list_lane};
  step.gives_back = module_address(module);
  step.reason = ActionReason::removed_from_desired;
  return step;
}

Step refresh_step(const Initramfs& initramfs, std::vector<Fact> after) {
  Step step;
  step.action = {std::string(KernelModules::kind_name), module_verb::refresh, "kernel.initramfs",
                 Json::object()};
  step.actions = {"update"};
  const auto command = join(initramfs.refresh.argv, " ");
  step.title = fmt::format("rebuild the initramfs with '{}'", command);
  step.progress = "rebuilding the initramfs";
  step.explanation = fmt::format("it has its own copy of {}", OwnModprobeFile::path);
  step.before = "out of date";
  step.after = "up to date";
  step.needs = std::move(after);
  step.lanes = {"boot loader"};
  step.derived = true;
  step.reason = ActionReason::prerequisite;
  if (!initramfs.blocked.empty()) step.blocked_by.push_back(initramfs.blocked);
  return step;
}

OwnModprobeFile::Entry entry_from(const Json& arguments) {
  return {arguments.value("blocked", false), arguments.value("options", ModuleOptions{})};
}

}  // namespace gpuhost
