#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "kinds/gpu_ownership.hpp"
#include "kinds/vm_binding/kind.hpp"

namespace gpuhost {

namespace {

using vm_binding::Device;
using vm_binding::find_device;

/// A guest lets go of a device within seconds, or not at all. Source: libvirt waits 5 s by itself before it
/// answers (qemu_hotplug.c, qemuDomainRemoveDeviceWaitTime), and the guest may need longer.
constexpr std::chrono::seconds unplug_limit{60};

struct Target {
  std::string connection;
  std::string name;

  explicit Target(const StepAction& action)
      : connection(action.arguments.value("connection", std::string{})),
        name(action.arguments.value("name", std::string{})) {}
};

/// What a define action asks for.
struct Redefined {
  std::set<Device> remove;
  std::set<Device> unmanage;
  std::vector<std::string> elements;
  std::vector<HostDevice> added;  ///< of `elements`

  explicit Redefined(const Json& arguments)
      : remove(vm_binding::devices_in(arguments.value("remove", Json::array()))),
        unmanage(vm_binding::devices_in(arguments.value("unmanage", Json::array()))),
        elements(vm_binding::texts_in(arguments.value("add", Json::array()))),
        added(vm_binding::devices_of(elements)) {}

  [[nodiscard]] bool is_so_in(const DomainXml& xml) const {
    const auto there = [&](const Device& device) { return find_device(xml, device) != nullptr; };
    const auto managed = [&](const Device& device) {
      return there(device) && find_device(xml, device)->managed;
    };
    const auto as_added = [&](const HostDevice& device) {
      return there(device.device) && managed(device.device) == device.managed;
    };
    return std::ranges::none_of(remove, there) && std::ranges::none_of(unmanage, managed) &&
           std::ranges::all_of(added, as_added);
  }
};

Result<DomainXml> definition_of(const Domain& domain) {
  return read_domain_xml(domain.definition.empty() ? domain.live : domain.definition);
}

/// Made of the definition with its secrets, which would be lost otherwise.
Result<void> define(const Target& target, const StepAction& action, Host& host) {
  const auto full = host.domains.full_definition(target.connection, target.name);
  if (!full) return std::unexpected(full.error());
  const Redefined wish(action.arguments);
  // An element that is there already goes first, so that running it again leaves one of it.
  std::vector<Device> remove(wish.remove.begin(), wish.remove.end());
  for (const auto& device : wish.added) remove.push_back(device.device);
  const auto changed =
      with_host_devices(*full, remove, {wish.unmanage.begin(), wish.unmanage.end()}, wish.elements);
  if (!changed) return std::unexpected(changed.error());
  return host.domains.define(target.connection, *changed);
}

Result<void> stop(const Target& target, const StepAction& action, Host& host) {
  if (action.arguments.value("method", std::string{}) == "managed-save")
    return host.domains.managed_save(target.connection, target.name);
  const std::chrono::seconds limit{action.arguments.value("timeout", 0)};
  auto ended = host.domains.shut_down(target.connection, target.name, limit);
  if (ended || ended.error().kind != ErrorKind::timed_out) return ended;
  if (action.arguments.value("then", std::string{}) == "destroy")
    return host.domains.destroy(target.connection, target.name);
  return fail(ErrorKind::timed_out,
              fmt::format("VM {} did not shut down within {} s", target.name, limit.count()),
              "shut it down from inside, or set policy.guestStop.then: destroy");
}

Result<void> detach(const Target& target, const StepAction& action, Host& host) {
  const auto domain = host.view.domains.domain(target.connection, target.name);
  if (!domain) return std::unexpected(domain.error());
  const auto device = vm_binding::parse_device(action.arguments.value("device", std::string{}));
  const auto live = read_domain_xml(domain->live);
  if (!live) return std::unexpected(live.error());
  const auto* plugged = device ? find_device(*live, *device) : nullptr;
  if (plugged == nullptr) return {};
  return host.domains.detach(target.connection, target.name, plugged->element, unplug_limit);
}

Undo undo_of_state(const StepAction& action, const Domain& domain) {
  Undo back{action};
  back.action.verb = domain.running ? "start" : "stop";
  if (domain.running) return back;
  back.action.arguments["method"] = "shutdown";
  back.action.arguments["timeout"] = Policy{}.guest_stop_timeout.count();
  back.action.arguments["then"] = "refuse";
  back.disruption = Disruption::stop_guests;
  return back;
}

/// The elements of all devices that it changes, as they stand in the definition.
Result<std::optional<Undo>> undo_of_define(const StepAction& action, const Domain& domain) {
  const auto xml = definition_of(domain);
  if (!xml) return std::unexpected(xml.error());
  const Redefined wish(action.arguments);
  std::set<Device> changed = wish.remove;
  changed.insert(wish.unmanage.begin(), wish.unmanage.end());
  for (const auto& added : wish.added) changed.insert(added.device);
  std::set<Device> remove;
  std::vector<std::string> elements;
  for (const auto& device : changed) {
    const auto* now = find_device(*xml, device);
    if (now != nullptr)
      elements.push_back(now->element);
    else
      remove.insert(device);
  }
  Undo back{action};
  back.action.arguments["remove"] = vm_binding::json_of(remove);
  back.action.arguments["unmanage"] = Json::array();
  back.action.arguments["add"] = std::move(elements);
  return back;
}

Result<std::optional<Undo>> undo_of_plug(const StepAction& action, const Domain& domain) {
  Undo back{action};
  const auto device = vm_binding::parse_device(action.arguments.value("device", std::string{}));
  if (!device) return fail(ErrorKind::invalid, fmt::format("{} names no device", action.address));
  if (!domain.running) return back;
  const auto live = read_domain_xml(domain.live);
  if (!live) return std::unexpected(live.error());
  const auto* plugged = find_device(*live, *device);
  back.action.verb = plugged != nullptr ? "attach" : "detach";
  back.disruption = plugged != nullptr ? Disruption::none : Disruption::hot_unplug;
  if (plugged != nullptr) back.action.arguments["element"] = plugged->element;
  return back;
}

}  // namespace

Result<bool> VmBinding::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const Target target(action);
  const auto domain = host.domains.domain(target.connection, target.name);
  if (!domain) return std::unexpected(domain.error());
  if (action.verb == "start") return domain->running;
  if (action.verb == "stop") return !domain->running;
  if (action.verb == "autostart") return domain->autostart == action.arguments.value("on", false);
  if (action.verb == "define") {
    const auto xml = definition_of(*domain);
    if (!xml) return std::unexpected(xml.error());
    return Redefined(action.arguments).is_so_in(*xml);
  }
  const auto device = vm_binding::parse_device(action.arguments.value("device", std::string{}));
  if (!device) return fail(ErrorKind::invalid, fmt::format("{} names no device", action.address));
  // A guest that is off has nothing to unplug, and gets what its definition names when it starts.
  if (!domain->running) return true;
  const auto live = read_domain_xml(domain->live);
  if (!live) return std::unexpected(live.error());
  return (find_device(*live, *device) != nullptr) == (action.verb == "attach");
}

Result<std::optional<Undo>> VmBinding::undo_of(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return Undo{action};
  const Target target(action);
  const auto domain = host.domains.domain(target.connection, target.name);
  if (!domain) return std::unexpected(domain.error());
  if (action.verb == "start" || action.verb == "stop") return undo_of_state(action, *domain);
  if (action.verb == "autostart") {
    Undo back{action};
    back.action.arguments["on"] = domain->autostart;
    return back;
  }
  if (action.verb == "define") return undo_of_define(action, *domain);
  return undo_of_plug(action, *domain);
}

Result<void> VmBinding::run(const StepAction& action, Host& host) const {
  const Target target(action);
  if (action.verb == "define") return define(target, action, host);
  if (action.verb == "start") return host.domains.start(target.connection, target.name);
  if (action.verb == "stop") return stop(target, action, host);
  if (action.verb == "autostart")
    return host.domains.set_autostart(target.connection, target.name, action.arguments.value("on", false));
  if (action.verb == "attach")
    return host.domains.attach(target.connection, target.name,
                               action.arguments.value("element", std::string{}));
  if (action.verb == "detach") return detach(target, action, host);
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

}  // namespace gpuhost
