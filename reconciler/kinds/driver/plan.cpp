#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/driver/checks.hpp"
#include "kinds/driver/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

using Flavor = DriverSpec::Flavor;
using Verdict = Finding::Verdict;

constexpr const char* loaded_address = "driver.loaded";

Finding finding_of(std::string address, Json desired) {
  return {.address = std::move(address), .desired = std::move(desired)};
}

void set_unknown(Finding& finding, std::string reason, bool permission = false) {
  finding.verdict = Verdict::unknown;
  finding.reason = std::move(reason);
  finding.permission = permission;
}

Finding compare_flavor(Flavor wanted, const DriverState& state) {
  auto finding = finding_of("driver.flavor", to_string(wanted));
  if (state.flavor.is_unknown()) {
    set_unknown(finding, state.flavor.reason());
    return finding;
  }
  finding.observed = to_string(state.flavor ? *state.flavor : Flavor::none);
  if (finding.observed != finding.desired) finding.verdict = Verdict::differs;
  return finding;
}

/// What the running kernel would load.
Finding compare_installed(const DriverState& state, const std::string& wanted) {
  auto finding = finding_of("driver.installed", wanted);
  if (state.installed.is_unknown()) {
    set_unknown(finding, state.installed.reason());
    return finding;
  }
  if (state.installed) finding.observed = *state.installed;
  if (finding.observed != finding.desired) finding.verdict = Verdict::differs;
  return finding;
}

/// After a boot of a kernel that has no module there are no GPUs.
Finding compare_kernel(const std::string& kernel, const Result<bool>& has) {
  auto finding = finding_of(fmt::format("driver.kernels[{}]", kernel), "installed");
  if (!has) {
    set_unknown(finding, has.error().message, lacks_permission(has.error()));
    return finding;
  }
  finding.observed = *has ? Json("installed") : Json();
  if (!*has) finding.verdict = Verdict::differs;
  return finding;
}

/// The version that runs. One that is installed and not loaded comes with the next boot.
Finding compare_loaded(const DriverState& state, const std::string& wanted, bool installed) {
  auto finding = finding_of(loaded_address, wanted);
  if (state.loaded.is_unknown()) {
    set_unknown(finding, state.loaded.reason());
    return finding;
  }
  if (!state.loaded) {
    finding.verdict = Verdict::differs;
    return finding;
  }
  finding.observed = *state.loaded;
  if (*state.loaded == wanted) return finding;
  finding.verdict = installed ? Verdict::pending_reboot : Verdict::differs;
  if (installed) finding.reason = "it is installed, and the next boot loads it";
  return finding;
}

void compare_kernels(const DriverState& state, std::vector<Finding>& findings) {
  if (!state.other_kernels) {
    auto finding = finding_of("driver.kernels", "installed");
    set_unknown(finding, state.other_kernels.error().message, lacks_permission(state.other_kernels.error()));
    findings.push_back(std::move(finding));
    return;
  }
  for (const auto& [kernel, has] : *state.other_kernels) findings.push_back(compare_kernel(kernel, has));
}

void compare_versions(const DriverState& state, const std::string& wanted, std::vector<Finding>& findings) {
  findings.push_back(compare_installed(state, wanted));
  const bool installed = findings.back().verdict == Verdict::in_sync;
  findings.push_back(compare_loaded(state, wanted, installed));
}

std::string sentence_of(const Finding& finding) {
  const auto value = finding.observed.is_null() ? "nothing" : finding.observed.get<std::string>();
  return fmt::format("{} is {}", finding.address, value);
}

/// Shown, and blocked: gpuhost does not install what the document names no source of.
Step install_step(const DriverSpec& spec, const std::string& wanted, const std::vector<Finding>& different) {
  const bool removes = **spec.flavor == Flavor::none;
  const auto what = wanted.empty() ? fmt::format("driver of flavor {}", to_string(**spec.flavor))
                                   : fmt::format("driver {} ({})", wanted, to_string(**spec.flavor));
  Step step;
  step.action = {std::string(Driver::kind_name),
                 removes ? "remove" : "install",
                 "driver",
                 {{"flavor", to_string(**spec.flavor)}, {"version", wanted}}};
  step.actions = {removes ? "delete" : "update"};
  step.title = removes ? "remove NVIDIA's driver" : "install " + what;
  step.progress = removes ? "removing NVIDIA's driver" : "installing " + what;
  step.reversible = Reversible::none;
  step.before = step.after = Json::object();
  std::vector<std::string> differences;
  for (const auto& finding : different) {
    step.before[finding.address] = finding.observed;
    step.after[finding.address] = finding.desired;
    differences.push_back(sentence_of(finding));
  }
  step.blocked_by.push_back(
      removes
          ? join(differences, ", ") + ": uninstall it by the means that installed it, and apply again"
          : fmt::format("{}, and the document names no source: install {} for each kernel and apply again",
                        join(differences, ", "), what));
  return step;
}

Step load_step(Flavor flavor, const std::string& wanted, const DriverState& state) {
  Step step;
  step.action = {std::string(Driver::kind_name),
                 "load",
                 "driver",
                 {{"manager", flavor == Flavor::vgpu_manager}, {"version", wanted}}};
  step.actions = {"load"};
  step.title = fmt::format("load NVIDIA's driver {}", wanted);
  step.progress = fmt::format("loading NVIDIA's driver {}", wanted);
  step.after = wanted;
  step.provides = {module_loaded(nvidia_module)};
  if (flavor == Flavor::vgpu_manager) step.provides.push_back(module_loaded(manager_module));
  step.blocked_by = obstacles_to_load(state);
  return step;
}

/// What mends the differences: nothing if all is as wanted, or a boot brings it.
std::optional<Step> step_for(const DriverSpec& spec, const std::string& wanted, const DriverState& state,
                             const std::vector<Finding>& findings) {
  std::vector<Finding> different;
  std::ranges::copy_if(findings, std::back_inserter(different),
                       [](const Finding& finding) { return finding.verdict == Verdict::differs; });
  if (different.empty()) return std::nullopt;
  if (different.size() == 1 && different.front().address == loaded_address)
    return load_step(**spec.flavor, wanted, state);
  return install_step(spec, wanted, different);
}

}  // namespace

std::string wanted_version(const DriverSpec& spec) {
  if (spec.version) return **spec.version;
  const auto* release = spec.release ? catalog::find_release(**spec.release) : nullptr;
  return release != nullptr && spec.flavor ? std::string(host_version(*release, **spec.flavor))
                                           : std::string{};
}

/// All that no guest is to have whole, and that is not on vfio-pci for a guest of somebody else.
std::vector<const Gpu*> Driver::gpus_for_driver(const Inventory& inventory) const {
  std::set<PciAddress> passed_through;
  for (const auto& entry : passed_through_)
    for (const auto& selected : select_gpus(entry, inventory).gpus)
      passed_through.insert(selected.gpu->address);
  std::vector<const Gpu*> gpus;
  for (const auto& gpu : inventory.gpus)
    if (!passed_through.contains(gpu.address) && gpu.driver != gpu_facts::vfio_driver) gpus.push_back(&gpu);
  return gpus;
}

Proposal Driver::plan_from(const DriverState& state, const PlanInput&) const {
  Proposal proposal;
  if (!spec_ || !spec_->flavor) return proposal;
  if (!state.running) {
    proposal.notes.push_back({Note::Severity::error, "driver",
                              "no kernel runs under --root: its driver cannot be looked at",
                              "leave out --root"});
    return proposal;
  }
  const auto flavor = **spec_->flavor;
  const auto wanted = wanted_version(*spec_);
  auto& findings = proposal.findings;
  findings.push_back(compare_flavor(flavor, state));
  if (flavor != Flavor::none) {
    if (!wanted.empty()) compare_versions(state, wanted, findings);
    compare_kernels(state, findings);
    const auto* inventory = gpus_or_none(*state.inventory);
    if (inventory == nullptr)
      proposal.notes.push_back(
          {Note::Severity::error, "driver",
           "which boards it is to drive cannot be told: " + state.inventory->error().message});
    else
      proposal.notes = notes_of_driver(*spec_, state, gpus_for_driver(*inventory));
  }
  if (auto step = step_for(*spec_, wanted, state, findings)) proposal.steps.push_back(*std::move(step));
  return proposal;
}

}  // namespace gpuhost
