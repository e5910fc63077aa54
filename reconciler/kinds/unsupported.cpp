#include "kinds/unsupported.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

std::vector<Unsupported> unsupported_parts(const DocumentSpecs& document, const Diagnostics& diagnostics) {
  std::vector<Unsupported> parts;
  const auto add = [&](std::string key, const auto& part) {
    if (part) parts.push_back({std::move(key), diagnostics.place(part->mark)});
  };
  add("license", document.license);
  for (const auto& vm : document.vms) {
    const auto key = [&](std::string_view name) { return fmt::format("vm[{}].{}", *vm.vm.name, name); };
    if (vm.guest_driver && vm.guest_driver->value.source) add(key("guestDriver.source"), vm.guest_driver);
    add(key("license"), vm.license);
  }
  std::ranges::stable_sort(parts, {}, &Unsupported::key);
  return parts;
}

}  // namespace gpuhost
