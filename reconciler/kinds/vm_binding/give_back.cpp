#include "kinds/vm_binding/give_back.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "kinds/gpu_ownership.hpp"

namespace gpuhost::vm_binding {

namespace {

/// What was there before, of one name; null: the record does not say.
Json recorded(const Ownership::Object& object, const char* name) {
  return object.before.is_object() && object.before.contains(name) ? object.before[name] : Json();
}

std::vector<HostDevice> recorded_devices(const Ownership::Object& object) {
  return devices_of(texts_in(recorded(object, "elements")));
}

/// Nothing: it is not what was set, or as it was before.
std::optional<Step> devices_back(const Guest& guest, const DeviceTable& table,
                                 const Ownership::Object& object) {
  const auto back = restoration(guest, table, object);
  if (!back) return std::nullopt;
  std::set<Device> before;
  for (const auto& device : recorded_devices(object)) before.insert(device.device);
  return define_step(guest, *back, table.shown(table.of(*guest.definition)), table.shown(before));
}

std::optional<Step> autostart_back(const Guest& guest, const Ownership::Object& object) {
  const auto before = recorded(object, "autostart");
  const Json now = guest.domain.autostart;
  if (!before.is_boolean() || now != object.applied || now == before) return std::nullopt;
  return autostart_step(guest, before.get<bool>());
}

std::optional<Step> state_back(const Guest& guest, const Ownership::Object& object, const Policy& policy,
                               Step start) {
  const auto before = recorded(object, "state");
  const Json now = running_word(guest.domain.running);
  if (now != object.applied || now == before) return std::nullopt;
  if (before == Json(running_word(true))) return start;
  if (before == Json(running_word(false))) return stop_step(guest, policy);
  return std::nullopt;
}

}  // namespace

std::optional<OwnedField> parse_object(std::string_view object) {
  constexpr std::string_view prefix = "vm[";
  constexpr std::array<std::string_view, 3> fields{"devices", "autostart", "state"};
  const auto close = object.rfind("].");
  if (!object.starts_with(prefix) || close == std::string_view::npos || close < prefix.size())
    return std::nullopt;
  OwnedField found{std::string(object.substr(prefix.size(), close - prefix.size())),
                   std::string(object.substr(close + 2))};
  if (std::ranges::find(fields, found.field) == fields.end()) return std::nullopt;
  return found;
}

std::string connection_in(const Ownership::Object& object) {
  const auto connection = recorded(object, "connection");
  return connection.is_string() ? connection.get<std::string>() : system_connection;
}

std::optional<Redefinition> restoration(const Guest& guest, const DeviceTable& table,
                                        const Ownership::Object& object) {
  if (!guest.may_be_stopped()) return std::nullopt;
  auto rest = table.of(*guest.definition);
  if (rest != devices_in(object.applied)) return std::nullopt;
  Redefinition back;
  for (const auto& device : recorded_devices(object)) {
    rest.erase(device.device);
    const auto* there = find_device(*guest.definition, device.device);
    if (there == nullptr || there->managed != device.managed) back.add.push_back(device.element);
  }
  back.remove = std::move(rest);
  return back.empty() ? std::nullopt : std::optional(std::move(back));
}

Step step_back(const OwnedField& field, const Guest& guest, const DeviceTable& table,
               const Ownership::Object& object, const Policy& policy, Step start) {
  std::optional<Step> step;
  if (guest.may_be_stopped()) {
    if (field.field == "devices")
      step = devices_back(guest, table, object);
    else if (field.field == "autostart")
      step = autostart_back(guest, object);
    else
      step = state_back(guest, object, policy, std::move(start));
  }
  const auto at = address(field.vm, field.field);
  if (!step) return forget_step(VmBinding::kind_name, at, object.applied);
  step->gives_back = at;
  step->reason = ActionReason::removed_from_desired;
  return *std::move(step);
}

}  // namespace gpuhost::vm_binding
