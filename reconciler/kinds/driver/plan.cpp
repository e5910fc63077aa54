#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/driver/checks.hpp"
#include "kinds/driver/steps.hpp"
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

bool is_of_another_kernel(const Finding& finding) {
  return finding.address.starts_with("driver.kernels[");
}

/// Shown, and blocked: gpuhost does not install what the document names no source of, nor what the running
/// kernel has already.
Step blocked_step(const DriverPackage& driver, const std::vector<Finding>& different) {
  const auto what = driver.version.empty() ? fmt::format("driver of flavor {}", driver.flavor)
                                           : fmt::format("driver {} ({})", driver.version, driver.flavor);
  Step step;
  step.action = {
      std::string(Driver::kind_name), driver_verb::install, "driver", {{"driver", driver.to_json()}}};
  step.actions = {"update"};
  step.title = "install " + what;
  step.progress = "installing " + what;
  step.reversible = Reversible::none;
  step.before = step.after = Json::object();
  std::vector<std::string> differences;
  for (const auto& finding : different) {
    step.before[finding.address] = finding.observed;
    step.after[finding.address] = finding.desired;
    differences.push_back(sentence_of(finding));
  }
  step.blocked_by.push_back(
      driver.source
          ? fmt::format("{}: run 'dkms autoinstall -k' for each of these kernels, or remove them",
                        join(differences, ", "))
          : fmt::format("{}, and the document names no source: install {} for each kernel and apply again",
                        join(differences, ", "), what));
  return step;
}

/// What gpuhost installed itself, it knows the source of.
std::optional<DriverPackage> installed_now(const DriverState& state, const PlanInput& input) {
  if (!state.installed) return std::nullopt;
  DriverPackage now{std::string(to_string(state.flavor ? *state.flavor : Flavor::none)), *state.installed};
  const auto* record = input.owned.find(input.document, driver_object);
  auto recorded = record == nullptr ? std::nullopt : DriverPackage::from(record->applied);
  if (recorded && recorded->version == now.version && recorded->flavor == now.flavor)
    now.source = recorded->source;
  return now;
}

std::vector<const Gpu*> held_gpus(const DriverState& state) {
  std::vector<const Gpu*> held;
  if (const auto* inventory = gpus_or_none(*state.inventory))
    for (const auto& gpu : inventory->gpus)
      if (gpu.driver == gpu_facts::nvidia_driver) held.push_back(&gpu);
  return held;
}

/// Installers go over what the same means has brought; what came otherwise, or is of another flavour, would
/// stay beside it.
bool removes_first(const DriverChange& change) {
  if (!change.now || !change.then || !change.then->source) return false;
  const bool by_file = change.then->source->form == PackageSource::Form::runfile;
  switch (change.state.means.by) {
    case Means::By::runfile:
      return !by_file;
    case Means::By::packages:
      return by_file || change.now->flavor != change.then->flavor;
    case Means::By::nothing:
    case Means::By::unknown:
      return false;
  }
  return false;
}

std::string unknown_means(const DriverState& state) {
  return fmt::format(
      "how NVIDIA's driver came to this host cannot be told{}: uninstall it by the means that "
      "installed it, and apply again",
      state.packages ? "" : ", since " + state.packages.error().message);
}

/// Other modules on top of the driver are nobody's to unload.
void check_users(const DriverState& state, std::vector<std::string>& obstacles) {
  if (!state.users_of_driver) {
    obstacles.push_back("who uses the driver's modules cannot be told: " +
                        state.users_of_driver.error().message);
    return;
  }
  for (const auto& user : *state.users_of_driver)
    obstacles.push_back(fmt::format("module {} uses NVIDIA's driver: unload it first", user));
}

void add_change(DriverChange change, Proposal& proposal) {
  const auto& state = change.state;
  change.removes_first = removes_first(change);
  const auto add = [&](Step step) -> Step& { return proposal.steps.emplace_back(std::move(step)); };
  if (change.needs_copy()) add(copy_step(*change.then->source));
  if (state.loaded) check_users(state, add(unload_step(change)).blocked_by);
  if (change.now && (!change.then || change.removes_first)) {
    auto& step = add(remove_step(change));
    if (state.means.by == Means::By::unknown) step.blocked_by.push_back(unknown_means(state));
  }
  if (!change.then) return;
  add(install_step(change)).blocked_by = obstacles_to_install(*change.then->source, state);
  add(load_step(change));
}

/// What mends the differences: nothing if all is as wanted, or a boot brings it.
void plan_change(DriverChange change, Proposal& proposal) {
  std::vector<Finding> different;
  std::ranges::copy_if(proposal.findings, std::back_inserter(different),
                       [](const Finding& finding) { return finding.verdict == Verdict::differs; });
  if (different.empty()) return;
  const bool loads_only = different.size() == 1 && different.front().address == loaded_address;
  if (loads_only && !change.state.loaded) {
    change.then->source.reset();
    proposal.steps.push_back(load_step(change));
    proposal.steps.back().blocked_by = obstacles_to_load(change.state);
    return;
  }
  const auto is_unknown = [](const Finding& finding) { return finding.verdict == Verdict::unknown; };
  if (std::ranges::any_of(proposal.findings, is_unknown)) return;
  if (change.then && (!change.then->source || std::ranges::all_of(different, is_of_another_kernel)))
    proposal.steps.push_back(blocked_step(*change.then, different));
  else
    add_change(std::move(change), proposal);
}

}  // namespace

std::string wanted_version(const DriverSpec& spec) {
  if (spec.version) return **spec.version;
  const auto* release = spec.release ? catalog::find_release(**spec.release) : nullptr;
  return release != nullptr && spec.flavor ? std::string(host_version(*release, **spec.flavor))
                                           : std::string{};
}

/// Whether the running kernel's driver is not what the document installs.
bool Driver::is_to_be_installed(const DriverState& state) const {
  if (!spec_ || !spec_->source || !spec_->flavor || state.installed.is_unknown()) return false;
  const auto wanted = wanted_version(*spec_);
  return !state.installed || *state.installed != wanted || !state.flavor || *state.flavor != **spec_->flavor;
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

Proposal Driver::plan_from(const DriverState& state, const PlanInput& input) const {
  Proposal proposal;
  if (!spec_ || !spec_->flavor) {
    if (const auto* record = input.owned.find(input.document, driver_object))
      proposal.steps.push_back(forget_step(kind_name, driver_object, record->applied));
    return proposal;
  }
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
  DriverChange change{.state = state, .now = installed_now(state, input), .held = held_gpus(state)};
  if (flavor != Flavor::none)
    change.then = DriverPackage{std::string(to_string(flavor)), wanted, spec_->source};
  plan_change(std::move(change), proposal);
  return proposal;
}

}  // namespace gpuhost
