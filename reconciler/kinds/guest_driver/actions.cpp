#include <fmt/format.h>

#include "kinds/guest_driver/kind.hpp"

namespace gpuhost {

Result<bool> GuestDriver::satisfied(const StepAction&, const HostView&) const {
  return false;
}

Result<std::optional<Undo>> GuestDriver::undo_of(const StepAction&, const HostView&) const {
  return std::nullopt;
}

Result<void> GuestDriver::run(const StepAction& action, Host&) const {
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

}  // namespace gpuhost
