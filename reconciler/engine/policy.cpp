#include "engine/policy.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

namespace {

std::string protection(std::string_view what, bool by_host) {
  return by_host ? fmt::format("{} is protected by {} of this host", what, local_limits_path)
                 : fmt::format("{} is protected; take it out of policy.protect to allow it", what);
}

}  // namespace

void Policy::hold_below(PolicyCeiling limit) {
  if (limit.disruption) disruption = std::min(disruption, *limit.disruption);
  protected_vms.insert(limit.protected_vms.begin(), limit.protected_vms.end());
  protected_gpus.insert(limit.protected_gpus.begin(), limit.protected_gpus.end());
  ceiling = std::move(limit);
}

std::string Policy::way_to_allow(Disruption level) const {
  if (ceiling.disruption && level > *ceiling.disruption)
    return fmt::format("{} of this host lets no document do more than {}", local_limits_path,
                       to_string(*ceiling.disruption));
  return by_option ? fmt::format("give --allow {} to allow it", to_string(level))
                   : fmt::format("set policy.disruption to {} to allow it", to_string(level));
}

std::optional<std::string> Policy::protection_of_vm(const std::string& name) const {
  if (!protected_vms.contains(name)) return std::nullopt;
  return protection("VM " + name, ceiling.protected_vms.contains(name));
}

std::optional<std::string> Policy::protection_of_gpu(const PciAddress& address) const {
  if (!protected_gpus.contains(address)) return std::nullopt;
  return protection("GPU " + address.to_string(), ceiling.protected_gpus.contains(address));
}

}  // namespace gpuhost
