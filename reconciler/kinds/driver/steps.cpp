#include "kinds/driver/steps.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_idle.hpp"

namespace gpuhost {

namespace {

const Fact copied{"driver source", "copied"};
const Fact unloaded{"driver", "unloaded"};
const Fact removed{"driver", "removed"};
const Fact installed{"driver", "installed"};

Json json_of(const std::optional<DriverPackage>& driver) {
  return driver ? driver->to_json() : Json();
}

/// "580.159.01 (vgpu-manager)"
std::string name_of(const DriverPackage& driver) {
  return driver.version.empty() ? fmt::format("of flavor {}", driver.flavor)
                                : fmt::format("{} ({})", driver.version, driver.flavor);
}

Json shown(const std::optional<DriverPackage>& driver) {
  return driver ? Json{{"flavor", driver->flavor}, {"version", driver->version}} : Json();
}

Step step_of(const char* verb, Json arguments) {
  Step step;
  step.action = {std::string(Driver::kind_name), verb, "driver", std::move(arguments)};
  step.actions = {verb};
  step.lanes = {"driver"};
  return step;
}

bool is_graphics(const std::optional<DriverPackage>& driver) {
  return driver && driver->flavor == to_string(DriverSpec::Flavor::graphics);
}

/// Who opens GPUs is down from before the old driver goes until the new one is there.
void need_services_down(const DriverState& state, Step& step) {
  for (const auto& [service, unit] : state.services) step.needs.push_back({"unit/" + service, "inactive"});
}

}  // namespace

bool is_manager(const std::optional<DriverPackage>& driver) {
  return driver && driver->flavor == to_string(DriverSpec::Flavor::vgpu_manager);
}

Step copy_step(const PackageSource& source) {
  auto step =
      step_of(driver_verb::copy, {{"from", source.what}, {"to", copy_of(source)}, {"sha256", source.sha256}});
  step.action.address = "driver.source";
  step.actions = {"create"};
  step.title = fmt::format("copy {} to {}", source.what, sources_directory);
  step.progress = fmt::format("copying {}", source.what);
  step.explanation = "what is run is the copy, whose content is that of the sha256";
  step.after = {{"sha256", source.sha256}};
  step.provides = {copied};
  step.reason = ActionReason::prerequisite;
  return step;
}

Step unload_step(const DriverChange& change) {
  const auto& state = change.state;
  const bool with_manager = state.manager_loaded && *state.manager_loaded;
  auto step = step_of(driver_verb::unload, {{"manager", with_manager}, {"version", *state.loaded}});
  step.title = fmt::format("unload NVIDIA's driver {}", *state.loaded);
  step.progress = "unloading NVIDIA's driver";
  step.before = *state.loaded;
  for (const auto* gpu : change.held) {
    const auto& address = gpu->address;
    step.needs.push_back(gpu_facts::without_volatile_mig(address));
    step.needs.push_back(gpu_facts::without_mixed_sizes(address));
    if (!gpu->functions.empty()) step.needs.push_back(gpu_facts::functions_disabled(address));
    step.needs.push_back(gpu_facts::without_vgpus(address));
    need_idle(*gpu, *state.usage, step);
    step.ends.push_back(gpu_facts::bound(address, gpu_facts::nvidia_driver));
    step.affects.push_back({.type = "gpu", .name = address.to_string()});
    step.lanes.push_back("gpu/" + address.to_string());
  }
  if (change.needs_copy()) step.needs.push_back(copied);
  need_services_down(state, step);
  step.provides = {unloaded, module_unloaded(nvidia_module)};
  step.ends.push_back(module_loaded(nvidia_module));
  if (with_manager) step.ends.push_back(module_loaded(manager_module));
  step.disruption = Disruption::reload_driver;
  step.reason = ActionReason::prerequisite;
  return step;
}

Step remove_step(const DriverChange& change) {
  const auto& state = change.state;
  auto step =
      step_of(driver_verb::remove, {{"means", state.means.to_json()}, {"before", json_of(change.now)}});
  step.actions = {"delete"};
  step.title = "remove NVIDIA's driver";
  if (change.now && !change.now->version.empty()) step.title += " " + name_of(*change.now);
  step.progress = "removing NVIDIA's driver";
  step.before = shown(change.now);
  if (state.loaded) step.needs.push_back(unloaded);
  need_services_down(state, step);
  step.provides = {removed};
  if (is_manager(change.now)) step.ends = {gpu_facts::manager_installed()};
  step.reversible = change.now && change.now->source ? Reversible::best_effort : Reversible::none;
  if (!change.then) step.gives_back = driver_object;
  return step;
}

Step install_step(const DriverChange& change) {
  const auto& state = change.state;
  const auto& driver = *change.then;
  auto step = step_of(driver_verb::install, {{"driver", driver.to_json()}, {"before", json_of(change.now)}});
  step.actions = {change.now ? "update" : "create"};
  step.title = fmt::format("install NVIDIA's driver {} from {}", name_of(driver), driver.source->what);
  step.progress = fmt::format("installing NVIDIA's driver {}", driver.version);
  step.before = shown(change.now);
  step.after = shown(driver);
  if (change.needs_copy()) step.needs.push_back(copied);
  if (state.loaded) step.needs.push_back(unloaded);
  if (change.removes_first) step.needs.push_back(removed);
  if (state.nouveau_loaded && *state.nouveau_loaded) step.needs.push_back(module_unloaded(nouveau_module));
  need_services_down(state, step);
  step.provides = {installed};
  if (is_manager(change.now) && !is_manager(driver)) step.ends = {gpu_facts::manager_installed()};
  step.reversible = !change.now || change.now->source ? Reversible::best_effort : Reversible::none;
  step.claims = Claim{driver_object, json_of(change.now), driver.to_json()};
  return step;
}

Step load_step(const DriverChange& change) {
  const auto& state = change.state;
  const auto& driver = *change.then;
  auto step = step_of(driver_verb::load, {{"manager", is_manager(driver)}, {"version", driver.version}});
  step.title = fmt::format("load NVIDIA's driver {}", driver.version);
  step.progress = fmt::format("loading NVIDIA's driver {}", driver.version);
  step.after = driver.version;
  if (driver.source) step.needs.push_back(installed);
  if (state.nouveau_loaded && *state.nouveau_loaded) step.needs.push_back(module_unloaded(nouveau_module));
  need_services_down(state, step);
  step.provides = {module_loaded(nvidia_module)};
  if (is_manager(driver)) {
    step.provides.push_back(module_loaded(manager_module));
    if (!is_manager(change.now)) {
      step.provides.push_back(gpu_facts::manager_installed());
      step.provides.push_back(gpu_facts::sriov_manage_there());
      for (const auto* daemon : manager_daemons)
        step.provides.push_back({fmt::format("unit/{}", daemon), "there"});
    }
  }
  if (is_graphics(driver) && !is_graphics(change.now))
    step.provides.push_back({fmt::format("unit/{}", licence_service), "there"});
  for (const auto* gpu : change.held) {
    if (state.loaded) step.provides.push_back(gpu_facts::bound(gpu->address, gpu_facts::nvidia_driver));
    step.lanes.push_back("gpu/" + gpu->address.to_string());
  }
  return step;
}

}  // namespace gpuhost
