#include "kinds/unsupported.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

std::vector<Unsupported> unsupported_parts(const DocumentSpecs& document, const Diagnostics& diagnostics) {
  std::vector<Unsupported> parts;
  const auto add = [&](std::string key, const auto& part) {
    if (part) parts.push_back({std::move(key), diagnostics.place(part->mark)});
  };
  add("driver", document.driver);
  add("license", document.license);
  for (const auto& gpu : document.gpus) {
    const auto before = parts.size();
    const auto key = [&](std::string_view name) {
      return fmt::format("gpus[{}].{}", gpu.entry.label(), name);
    };
    add(key("companions"), gpu.passthrough);
    add(key("display"), gpu.display_mode);
    add(key("ecc"), gpu.ecc);
    add(key("functions"), gpu.functions);
    add(key("mig"), gpu.mig);
    add(key("mode"), gpu.entry.mode);
    add(key("scheduler"), gpu.vgpu.scheduler);
    add(key("sizes"), gpu.vgpu.sizes);
    add(key("vgpus"), gpu.vgpu.vgpus);
    if (parts.size() == before)  // the selector alone asks for a GPU that must be there
      parts.push_back({key("match"), diagnostics.place(gpu.entry.match_mark)});
  }
  for (const auto& vm : document.vms) {
    const auto key = [&](std::string_view name) { return fmt::format("vms[{}].{}", *vm.vm.name, name); };
    add(key("attach"), vm.vm.attach);
    add(key("autostart"), vm.vm.autostart);
    add(key("devices"), vm.vm.devices);
    add(key("guestDriver"), vm.guest_driver);
    add(key("license"), vm.license);
    add(key("state"), vm.vm.state);
  }
  std::ranges::stable_sort(parts, {}, &Unsupported::key);
  return parts;
}

}  // namespace gpuhost
