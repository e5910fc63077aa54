#pragma once

#include "engine/plan.hpp"

namespace gpuhost::test {

inline PlannedStep planned(std::string id, std::string address, std::string title,
                           std::vector<std::string> actions) {
  PlannedStep step;
  step.id = std::move(id);
  step.step.action = {"kind", "verb", std::move(address), nullptr};
  step.step.actions = std::move(actions);
  step.step.progress = title + " now";
  step.step.title = std::move(title);
  return step;
}

/// Two phases with a reboot between, and one of everything a rendering has to show.
inline Plan example_plan() {
  Plan plan;
  plan.host = {"kvm-gpu-07", "0123456789abcdef0123456789abcdef", "6.1.0-25-amd64", "boot"};
  plan.document = "kvm-gpu-07";
  plan.document_sha256 = std::string(64, 'a');
  plan.allowed = Disruption::stop_units;

  auto parameter =
      planned("s1", "kernel.parameters[intel_iommu]", "set kernel parameter intel_iommu=on", {"update"});
  parameter.step.before = {{"running", nullptr}, {"next_boot", nullptr}};
  parameter.step.after = {{"running", nullptr}, {"next_boot", "on"}};
  parameter.step.explanation = "true after the next boot";

  auto stop = planned("s2", "units[ollama.service]", "stop unit ollama.service", {"stop"});
  stop.step.before = "active";
  stop.step.after = "inactive";
  stop.step.reason = ActionReason::prerequisite;
  stop.step.disruption = Disruption::stop_units;
  stop.step.affects = {{"unit", "ollama.service"}, {"process", "ollama", 812}};

  auto unload = planned("s3", "kernel.modules[nouveau]", "unload module nouveau", {"unload"});
  unload.step.before = {{"state", "loaded"}};
  unload.step.after = {{"state", "blocked"}};
  unload.step.reason = ActionReason::drift;
  unload.step.reversible = Reversible::best_effort;
  unload.step.foreign = true;
  unload.after = {1};

  auto start = planned("s4", "units[ollama.service]", "start unit ollama.service", {"start"});
  start.step.before = "inactive";
  start.step.after = "active";
  start.step.reason = ActionReason::prerequisite;
  start.after = {1, 2};
  start.releases = 1;

  auto load = planned("s5", "kernel.modules[vfio-pci]", "load module vfio-pci", {"load"});
  load.step.before = {{"state", "unloaded"}, {"options", Json::object()}};
  load.step.after = {{"state", "loaded"}, {"options", {{"disable_idle_d3", "1"}}}};
  load.step.provisional = true;
  load.step.after_unknown = {"version"};
  load.step.blocked_by = {"module vfio-pci is not there; install the kernel's extra modules"};
  load.after = {0};
  load.phase = 1;

  plan.steps = {parameter, stop, unload, start, load};
  plan.phases = {{.reboot_after = true, .steps = {0, 1, 2, 3}}, {.reboot_after = false, .steps = {4}}};
  plan.findings = {
      {"kernel.parameters[iommu]",
       Finding::Verdict::pending_reboot,
       "pt",
       {{"running", nullptr}, {"next_boot", "pt"}}},
      {"kernel.parameters[quiet]", Finding::Verdict::in_sync, nullptr, nullptr},
      {"units[ollama.service].enabled", Finding::Verdict::unknown, true, nullptr, "there is no systemd"},
      {"virtualization", Finding::Verdict::differs, "required", "VT-x is off"},
  };
  plan.drift = {{"kernel.modules[nouveau]", "blocked", "loaded"}};
  plan.unmanaged = {{"kernel.modules[kvm]", "loaded"}, {"kernel.modules[zfs]", ""}};
  plan.notes = {{Note::Severity::warning, "units[ollama.service]", "the unit has drop-ins", "look at them"}};
  return plan;
}

/// A host that is as its document says.
inline Plan quiet_plan() {
  auto plan = example_plan();
  plan.steps.clear();
  plan.phases.clear();
  plan.findings = {{"kernel.parameters[quiet]", Finding::Verdict::in_sync, nullptr, nullptr}};
  plan.drift.clear();
  plan.unmanaged.clear();
  plan.notes.clear();
  return plan;
}

}  // namespace gpuhost::test
