#include <fmt/format.h>

#include "kinds/virtualization/kind.hpp"

namespace gpuhost {

Result<bool> Virtualization::satisfied(const StepAction&, const HostView& host) const {
  const auto device = host.files.exists("/dev/kvm");
  if (!device) return std::unexpected(device.error());
  const auto units = host.files.list("/sys/class/iommu");
  if (!units && units.error().kind != ErrorKind::not_found) return std::unexpected(units.error());
  return *device && units && !units->empty();
}

Result<std::optional<Undo>> Virtualization::undo_of(const StepAction&, const HostView&) const {
  return std::nullopt;
}

Result<void> Virtualization::run(const StepAction& action, Host&) const {
  return fail(ErrorKind::unsupported, fmt::format("{} only checks and changes nothing", action.address));
}

}  // namespace gpuhost
