#include "kinds/unsupported.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

std::vector<Unsupported> unsupported_parts(const DocumentSpecs& document, const Diagnostics& diagnostics) {
  constexpr const char* without_agent =
      "what is in a guest is changed through its agent, which this version only asks: configure "
      "nvidia-gridd in the guest, and take the key out of the document";
  std::vector<Unsupported> parts;
  const auto add = [&](std::string key, const auto& part) {
    if (part) parts.push_back({std::move(key), diagnostics.place(part->mark)});
  };
  for (const auto& vm : document.vms) {
    const auto key = [&](std::string_view name) { return fmt::format("vm[{}].{}", *vm.vm.name, name); };
    if (vm.guest_driver && vm.guest_driver->value.source) add(key("guestDriver.source"), vm.guest_driver);
    add(key("license"), vm.license);
    if (vm.license) parts.back().advice = without_agent;
  }
  std::ranges::stable_sort(parts, {}, &Unsupported::key);
  return parts;
}

}  // namespace gpuhost
