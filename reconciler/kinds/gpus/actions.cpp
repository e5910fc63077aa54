#include <fmt/format.h>

#include "inventory/identity.hpp"
#include "kinds/gpus/kind.hpp"

namespace gpuhost {

Result<bool> Gpus::satisfied(const StepAction& action, const HostView&) const {
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

Result<std::optional<Undo>> Gpus::undo_of(const StepAction&, const HostView&) const {
  return std::nullopt;
}

Result<void> Gpus::run(const StepAction& action, Host&) const {
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

Result<void> Gpus::remember_from(const GpusState& state, Host& host) const {
  if (!*state.inventory || (**state.inventory).gpus.empty() || entries_.empty()) return {};
  return identity_record::store(identity_record::updated(**state.inventory), host.view.files, host.files);
}

}  // namespace gpuhost
