#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/driver/kind.hpp"

namespace gpuhost {

namespace {

/// What depends on the driver comes first.
constexpr auto unload_order = std::to_array<const char*>({manager_module, nvidia_module});

bool is_with_manager(const StepAction& action) {
  return action.arguments.is_object() && action.arguments.value("manager", false);
}

Result<bool> is_loaded(const StepAction& action, const HostView& host) {
  const auto version = host.files.read("/sys/module/nvidia/version");
  if (!version && version.error().kind == ErrorKind::not_found) return false;
  if (!version) return std::unexpected(version.error());
  if (trim(*version) != action.arguments.value("version", std::string{})) return false;
  if (!is_with_manager(action)) return true;
  return host.files.exists(fmt::format("/sys/module/{}", manager_module));
}

}  // namespace

Result<bool> Driver::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == "load") return is_loaded(action, host);
  if (action.verb == "unload") {
    const auto there = host.files.exists("/sys/module/nvidia");
    if (!there) return there;
    return !*there;
  }
  return false;
}

/// The module can go again only while it has no GPU in use: that is as long as the run that loaded it.
Result<std::optional<Undo>> Driver::undo_of(const StepAction& action, const HostView& host) const {
  if (action.verb != "load" && action.verb != "unload") return std::nullopt;
  const auto there = host.files.exists("/sys/module/nvidia");
  if (!there) return std::unexpected(there.error());
  Undo back{action};
  back.action.verb = *there ? "load" : "unload";
  return back;
}

Result<void> Driver::run(const StepAction& action, Host& host) const {
  if (action.verb == "load") {
    if (auto loaded = host.modules.load(nvidia_module); !loaded || !is_with_manager(action)) return loaded;
    return host.modules.load(manager_module);
  }
  if (action.verb == "unload") {
    for (const auto* module : unload_order)
      if (auto unloaded = host.modules.unload(module); !unloaded) return unloaded;
    return {};
  }
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

}  // namespace gpuhost
