#include "kinds/display_mode/driver_away.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "kinds/gpu_facts.hpp"

namespace gpuhost {

namespace {

constexpr const char* nvidia_module = "nvidia";
constexpr const char* unload_verb = "unload_driver";
constexpr const char* load_verb = "load_driver";
constexpr const char* driver_address = "driver.modules";

/// Sources: the vgpu-manager script of NVIDIA/gpu-driver-container; NVIDIA/mig-parted, hooks.
constexpr std::array services{"nvidia-persistenced.service", "nvidia-dcgm.service",
                              "nvidia-fabricmanager.service", "nvidia-vgpu-mgr.service",
                              "nvidia-vgpud.service"};

/// Users first.
void add_with_users(const std::string& module, const std::map<std::string, LoadedModule>& loaded,
                    std::vector<std::string>& modules) {
  const auto found = loaded.find(module);
  if (found == loaded.end() || std::ranges::find(modules, module) != modules.end()) return;
  for (const auto& user : found->second.users) add_with_users(user, loaded, modules);
  modules.push_back(module);
}

std::vector<std::string> modules_of(const StepAction& action) {
  return action.arguments.value("modules", std::vector<std::string>{});
}

/// `modules` in the order in which the step goes through them.
Step driver_step(std::string_view kind, bool unload, std::vector<std::string> modules) {
  Step step;
  step.title =
      unload ? fmt::format("unload NVIDIA's driver ({})", join(modules, ", ")) : "load NVIDIA's driver again";
  step.progress = unload ? "unloading NVIDIA's driver" : "loading NVIDIA's driver";
  step.action = {std::string(kind), unload ? unload_verb : load_verb, driver_address,
                 Json{{"modules", std::move(modules)}}};
  step.actions = {unload ? "unload" : "load"};
  step.before = unload ? "loaded" : "unloaded";
  step.after = unload ? "unloaded" : "loaded";
  step.lanes = {"module/nvidia"};
  return step;
}

}  // namespace

Result<LoadedDriver> look_at_driver(const HostView& host) {
  const auto loaded = host.modules.loaded();
  if (!loaded) return std::unexpected(loaded.error());
  LoadedDriver driver;
  add_with_users(nvidia_module, *loaded, driver.modules);
  if (driver.modules.empty()) return driver;
  for (const auto* service : services)
    if (const auto state = host.units.state(service);
        state && state->load_state == "loaded" && !state->is_inactive())
      driver.services.emplace_back(service);
  return driver;
}

Fact driver_away_fact() {
  return {"driver/nvidia", "not loaded"};
}

Offer driver_away_offer(std::string_view kind, const LoadedDriver& driver, const Inventory& inventory) {
  auto upwards = driver.modules;
  std::ranges::reverse(upwards);
  Offer offer{.acquire = driver_step(kind, true, driver.modules),
              .release = driver_step(kind, false, upwards)};
  offer.acquire->disruption = Disruption::reload_driver;
  offer.acquire->provides = {driver_away_fact()};
  offer.release->ends = {driver_away_fact()};
  for (const auto& service : driver.services) offer.needs.push_back({"unit/" + service, "inactive"});
  for (const auto& gpu : inventory.gpus) {
    if (gpu.driver != gpu_facts::nvidia_driver) continue;
    offer.needs.push_back(gpu_facts::idle(gpu.address));
    if (!gpu.functions.empty()) offer.needs.push_back(gpu_facts::functions_disabled(gpu.address));
    offer.needs.push_back(gpu_facts::without_mixed_sizes(gpu.address));
    if (gpu.has_vgpus()) offer.needs.push_back(gpu_facts::without_vgpus(gpu.address));
    if (catalog::mig_gpu_of(gpu.device_id) != nullptr)
      offer.needs.push_back(gpu_facts::without_volatile_mig(gpu.address));
    const auto bound = gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver);
    offer.acquire->ends.push_back(bound);
    offer.release->provides.push_back(bound);
    for (auto* step : {&*offer.acquire, &*offer.release})
      step->affects.push_back({.type = "gpu", .name = gpu.address.to_string()});
  }
  return offer;
}

bool is_driver_action(const StepAction& action) {
  return action.verb == unload_verb || action.verb == load_verb;
}

Result<bool> is_driver_as_wanted(const StepAction& action, const ModuleReader& modules) {
  const auto loaded = modules.loaded();
  if (!loaded) return std::unexpected(loaded.error());
  const bool wanted = action.verb == load_verb;
  return std::ranges::all_of(modules_of(action),
                             [&](const auto& module) { return loaded->contains(module) == wanted; });
}

StepAction driver_undo(StepAction action) {
  auto modules = modules_of(action);
  std::ranges::reverse(modules);
  action.arguments["modules"] = std::move(modules);
  action.verb = action.verb == load_verb ? unload_verb : load_verb;
  return action;
}

Result<void> change_driver(const StepAction& action, Host& host) {
  for (const auto& module : modules_of(action))
    if (auto done = action.verb == load_verb ? host.modules.load(module) : host.modules.unload(module); !done)
      return done;
  return {};
}

}  // namespace gpuhost
