#include "kinds/passthrough/steps.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/passthrough/kind.hpp"

namespace gpuhost {

Step bind_step(const Gpu& gpu, const std::string& driver, const std::vector<Binding>& now,
               const std::vector<Binding>& goals) {
  Step step;
  step.action = {std::string(Passthrough::kind_name), "bind", gpu_object(gpu, Passthrough::field),
                 Json{{"functions", json_of(goals)}}};
  step.actions = {"update"};
  std::vector<Binding> from;
  std::vector<Binding> to;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (agrees(now[i], goals[i])) continue;
    from.push_back(now[i]);
    to.push_back(goals[i]);
    // What VFIO or nobody has serves nobody while it is idle.
    if (!keeps_group_viable(now[i].driver)) step.disruption = Disruption::remove_idle;
  }
  step.before = drivers_json(from);
  step.after = drivers_json(to);
  if (!driver.empty()) step.provides = {gpu_facts::bound(gpu.address, driver)};
  for (const auto* other : {vfio_driver, nvidia_driver})
    if (driver != other) step.ends.push_back(gpu_facts::bound(gpu.address, other));
  step.affects = {{"gpu", gpu.address.to_string()}};
  step.lanes = {"gpu/" + gpu.address.to_string()};
  return step;
}

void add_guests_of(const Gpu& gpu, const DefinedDevices& defined, Step& step) {
  std::set<std::string> guests;
  const auto add = [&](const PciAddress& function) {
    const auto& names = defined.naming(function);
    guests.insert(names.begin(), names.end());
  };
  add(gpu.address);
  for (const auto& companion : gpu.companions) add(companion.address);
  for (const auto& guest : guests) step.affects.push_back({.type = "vm", .name = guest});
}

Json record_of(const Gpu& gpu) {
  std::vector<Binding> bindings{binding_of(gpu)};
  for (const auto& companion : gpu.companions) bindings.push_back(binding_of(companion));
  return {{"gpu", identity_of(gpu)}, {"functions", json_of(bindings)}};
}

std::vector<Binding> recorded_bindings(const Ownership::Object& owned, const Gpu& gpu,
                                       const std::set<std::string>& drivers) {
  if (!owned.before.is_object()) return {};
  const auto identity = owned.before.find("gpu");
  const auto functions = owned.before.find("functions");
  if (identity == owned.before.end() || !identity->is_string() || functions == owned.before.end() ||
      !is_identity_of(identity->get<std::string>(), gpu))
    return {};
  auto bindings = bindings_from(*functions).value_or(std::vector<Binding>{});
  std::erase_if(bindings, [&](const Binding& binding) {
    return binding.address != gpu.address &&
           std::ranges::find(gpu.companions, binding.address, &PciFunction::address) == gpu.companions.end();
  });
  for (auto& binding : bindings)
    if (!drivers.contains(binding.driver)) binding.driver.clear();
  return bindings;
}

}  // namespace gpuhost
