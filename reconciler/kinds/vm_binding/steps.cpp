
#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/vm_binding/kind.hpp"

namespace gpuhost::vm_binding {

namespace {

/// What all steps on a guest have.
Step step_on(const Guest& guest, std::string verb, std::string at, std::string title, std::string progress) {
  const auto& name = guest.domain.name;
  Step step;
  step.action = {std::string(VmBinding::kind_name),
                 std::move(verb),
                 std::move(at),
                 {{"connection", guest.connection}, {"name", name}}};
  step.title = std::move(title);
  step.progress = std::move(progress);
  step.affects = {{.type = "vm", .name = name}};
  step.lanes = {"vm/" + name};
  return step;
}

std::string field_of(const Device& device) {
  return fmt::format("devices[{}]", to_string(device));
}

std::string_view word_of(Policy::StopMethod method) {
  return method == Policy::StopMethod::shutdown ? "shutdown" : "managed-save";
}

}  // namespace

std::string address(std::string_view vm, std::string_view field) {
  return fmt::format("vm[{}].{}", vm, field);
}

std::string_view running_word(bool running) {
  return running ? "running" : "stopped";
}

Fact without(const Guest& guest, const Device& device) {
  return std::visit([&](const auto& one) { return gpu_facts::without(guest.domain.name, one); }, device);
}

Step define_step(const Guest& guest, const Redefinition& change, Json before, Json after) {
  const auto& name = guest.domain.name;
  auto step =
      step_on(guest, "define", address(name, "devices"),
              fmt::format("define VM {} with its NVIDIA devices", name), fmt::format("defining VM {}", name));
  step.actions = {"update"};
  step.before = std::move(before);
  step.after = std::move(after);
  step.action.arguments["remove"] = json_of(change.remove);
  step.action.arguments["unmanage"] = json_of(change.unmanage);
  step.action.arguments["add"] = change.add;
  step.provides = {gpu_facts::defined(name)};
  return step;
}

Step start_step(const Guest& guest) {
  const auto& name = guest.domain.name;
  auto step = step_on(guest, "start", address(name, "state"), fmt::format("start VM {}", name),
                      fmt::format("starting VM {}", name));
  step.actions = {"start"};
  step.before = "stopped";
  step.after = "running";
  step.ends = {gpu_facts::stopped(name)};
  return step;
}

Step stop_step(const Guest& guest, const Policy& policy) {
  const auto& name = guest.domain.name;
  auto step = step_on(guest, "stop", address(name, "state"), fmt::format("stop VM {}", name),
                      fmt::format("stopping VM {}", name));
  step.actions = {"stop"};
  step.before = "running";
  step.after = "stopped";
  step.action.arguments["method"] = word_of(policy.guest_stop_method);
  step.action.arguments["timeout"] = policy.guest_stop_timeout.count();
  step.action.arguments["then"] =
      policy.guest_stop_then == Policy::AfterTimeout::destroy ? "destroy" : "refuse";
  step.provides = {gpu_facts::stopped(name)};
  if (guest.live)
    for (const auto& device : guest.live->host_devices)
      step.provides.push_back(without(guest, device.device));
  if (policy.guest_stop_method == Policy::StopMethod::managed_save && guest.live &&
      !guest.live->host_devices.empty())
    step.blocked_by.push_back(
        fmt::format("VM {} has host devices, with which libvirt saves no guest: set policy.guestStop.method: "
                    "shutdown",
                    name));
  step.disruption = Disruption::stop_guests;
  step.reversible = policy.guest_stop_method == Policy::StopMethod::managed_save ? Reversible::exact
                                                                                 : Reversible::best_effort;
  return step;
}

Step autostart_step(const Guest& guest, bool on) {
  const auto& name = guest.domain.name;
  auto step = step_on(guest, "autostart", address(name, "autostart"),
                      fmt::format("{} VM {} at boot", on ? "start" : "do not start", name),
                      fmt::format("setting autostart of VM {}", name));
  step.actions = {"update"};
  step.before = guest.domain.autostart;
  step.after = on;
  step.action.arguments["on"] = on;
  return step;
}

Step attach_step(const Guest& guest, const Device& device) {
  const auto& name = guest.domain.name;
  auto step = step_on(guest, "attach", address(name, field_of(device)),
                      fmt::format("plug {} into running VM {}", to_string(device), name),
                      fmt::format("plugging {} into VM {}", to_string(device), name));
  step.actions = {"create"};
  step.after = to_string(device);
  step.action.arguments["device"] = to_string(device);
  step.action.arguments["element"] = element_of(device);
  return step;
}

Step detach_step(const Guest& guest, const Device& device) {
  const auto& name = guest.domain.name;
  auto step = step_on(guest, "detach", address(name, field_of(device)),
                      fmt::format("unplug {} from running VM {}", to_string(device), name),
                      fmt::format("unplugging {} from VM {}", to_string(device), name));
  step.actions = {"delete"};
  step.before = to_string(device);
  step.action.arguments["device"] = to_string(device);
  step.provides = {without(guest, device)};
  step.disruption = Disruption::hot_unplug;
  return step;
}

}  // namespace gpuhost::vm_binding
