#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vm_binding/kind.hpp"

namespace gpuhost {

namespace {

using vm_binding::address;
using vm_binding::Device;
using vm_binding::DeviceTable;
using vm_binding::Redefinition;
using Devices = std::set<Device>;
using Attach = VmSpec::Attach;

Devices difference(const Devices& a, const Devices& b) {
  Devices rest;
  std::ranges::set_difference(a, b, std::inserter(rest, rest.end()));
  return rest;
}

std::string_view running_word(bool running) {
  return running ? "running" : "stopped";
}

/// The exact elements of the devices, to be put back one day.
Json elements_of(const DomainXml& xml, const Devices& devices) {
  Json elements = Json::array();
  for (const auto& device : xml.host_devices)
    if (devices.contains(device.device)) elements.push_back(device.element);
  return elements;
}

/// A change of the definition, as it is shown and recorded.
Step redefinition_step(const Guest& guest, const Redefinition& change, const Devices& before,
                       const Devices& after) {
  auto step = vm_binding::define_step(guest, change);
  step.before = vm_binding::json_of(before);
  step.after = vm_binding::json_of(after);
  return step;
}

/// One domain, held against what the document says of it.
class Comparison {
 public:
  Comparison(const VmSpec& spec, const Guest& guest, const DeviceTable& table, const Policy& policy,
             Proposal& proposal)
      : spec_(spec), guest_(guest), table_(table), policy_(policy), proposal_(proposal) {}

  void compare_devices(const Devices& wanted) {
    const auto seen = table_.of(*guest_.definition);
    Redefinition change{.remove = difference(seen, wanted), .unmanage = {}, .add = {}};
    for (const auto& device : difference(wanted, seen)) change.add.push_back(vm_binding::element_of(device));
    for (const auto& device : guest_.definition->host_devices)
      if (device.managed && device.is_pci() && wanted.contains(device.device))
        change.unmanage.insert(device.device);
    note_unknown_devices();
    auto& finding =
        add_finding("devices", vm_binding::json_of(wanted), vm_binding::json_of(seen), !change.empty());
    if (!change.unmanage.empty() && seen == wanted)
      finding.reason = "libvirt would bind and unbind the device itself (managed='yes')";
    if (!change.empty()) {
      auto step = redefinition_step(guest_, change, seen, wanted);
      step.explanation = finding.reason;
      step.claims =
          Claim{finding.address,
                {{"connection", guest_.connection}, {"elements", elements_of(*guest_.definition, seen)}},
                vm_binding::json_of(wanted)};
      proposal_.steps.push_back(std::move(step));
    }
    compare_running_guest(wanted);
  }

  void compare_autostart() {
    if (!spec_.autostart) return;
    const bool wanted = **spec_.autostart;
    const auto& finding =
        add_finding("autostart", wanted, guest_.domain.autostart, wanted != guest_.domain.autostart);
    if (wanted == guest_.domain.autostart) return;
    auto step = vm_binding::autostart_step(guest_, wanted);
    step.claims = Claim{
        finding.address, {{"connection", guest_.connection}, {"autostart", guest_.domain.autostart}}, wanted};
    proposal_.steps.push_back(std::move(step));
  }

  /// `start`: the step that starts the guest.
  void compare_state(Step start) {
    if (!spec_.state) return;
    const bool wanted = **spec_.state == VmSpec::State::running;
    const bool running = guest_.domain.running;
    const auto& finding =
        add_finding("state", running_word(wanted), running_word(running), wanted != running);
    if (wanted == running) return;
    auto step = wanted ? std::move(start) : vm_binding::stop_step(guest_, policy_);
    step.claims = Claim{finding.address,
                        {{"connection", guest_.connection}, {"state", running_word(running)}},
                        running_word(wanted)};
    proposal_.steps.push_back(std::move(step));
  }

 private:
  Finding& add_finding(std::string_view field, Json desired, Json observed, bool differs) {
    proposal_.findings.push_back({.address = address(guest_.domain.name, field),
                                  .verdict = differs ? Finding::Verdict::differs : Finding::Verdict::in_sync,
                                  .desired = std::move(desired),
                                  .observed = std::move(observed)});
    return proposal_.findings.back();
  }

  /// A mediated device that exists nowhere may be any vendor's.
  void note_unknown_devices() {
    for (const auto& device : guest_.definition->host_devices)
      if (!device.is_pci() && !table_.is_nvidias(device.device))
        proposal_.notes.push_back(
            {Note::Severity::info, address(guest_.domain.name, "devices"),
             fmt::format(
                 "VM {} has the mediated device {}, which is none of an NVIDIA GPU that is known here; it "
                 "is left alone",
                 guest_.domain.name, vm_binding::to_string(device.device))});
  }

  void compare_running_guest(const Devices& wanted) {
    const bool stays = guest_.domain.running && !(spec_.state && **spec_.state == VmSpec::State::stopped);
    if (!stays || !guest_.live) return;
    const auto plugged = table_.of(*guest_.live);
    if (plugged == wanted) return;
    if (!spec_.attach || **spec_.attach == Attach::next_start) {
      proposal_.conditions.push_back({Condition::Type::pending_guest_restart,
                                      address(guest_.domain.name, "devices"),
                                      fmt::format("the running guest has {}, and {} from its next start on",
                                                  shown(plugged), shown(wanted))});
      return;
    }
    add_finding("attached", vm_binding::json_of(wanted), vm_binding::json_of(plugged), true);
    for (const auto& device : difference(plugged, wanted))
      proposal_.steps.push_back(vm_binding::detach_step(guest_, device));
    for (const auto& device : difference(wanted, plugged)) {
      auto step = vm_binding::attach_step(guest_, device);
      if (auto fact = table_.needed_by(device, false)) step.needs.push_back(*std::move(fact));
      proposal_.steps.push_back(std::move(step));
    }
  }

  static std::string shown(const Devices& devices) {
    std::vector<std::string> names;
    for (const auto& device : devices) names.push_back(vm_binding::to_string(device));
    return names.empty() ? "no NVIDIA device" : join(names, ", ");
  }

  const VmSpec& spec_;
  const Guest& guest_;
  const DeviceTable& table_;
  const Policy& policy_;
  Proposal& proposal_;
};

void unknown_fields(const VmSpec& spec, const Error& error, Proposal& proposal) {
  const auto add = [&](std::string_view field, bool named) {
    if (named)
      proposal.findings.push_back({.address = address(*spec.name, field),
                                   .verdict = Finding::Verdict::unknown,
                                   .reason = error.message,
                                   .permission = lacks_permission(error)});
  };
  add("autostart", spec.autostart.has_value());
  add("devices", spec.devices.has_value());
  add("state", spec.state.has_value());
}

void refuse(const VmSpec& spec, std::string message, std::string advice, Proposal& proposal) {
  proposal.notes.push_back(
      {Note::Severity::error, fmt::format("vm[{}]", *spec.name), std::move(message), std::move(advice)});
}

void refuse_missing(const VmSpec& spec, const VmBindingState& state, Proposal& proposal) {
  const auto there = state.names.find(spec.connection);
  const auto names = there == state.names.end() ? std::vector<std::string>{} : there->second;
  const auto near = suggest(*spec.name, names);
  refuse(spec, fmt::format("there is no domain {} in {}", *spec.name, spec.connection),
         near            ? fmt::format("did you mean '{}'?", *near)
         : names.empty() ? "define it first; gpuhost binds devices to domains that exist"
                         : fmt::format("there are: {}", join(names, ", ")),
         proposal);
}

/// What an earlier version of the document set on a domain, and it no longer names.
class Restorer {
 public:
  Restorer(const Guest& guest, const DeviceTable& table, const Policy& policy, Proposal& proposal)
      : guest_(guest), table_(table), policy_(policy), proposal_(proposal) {}

  void give_back(const std::string& object_address, std::string_view field, const Ownership::Object& object) {
    auto step = step_back(field, object);
    if (step && step->disruption > policy_.disruption) {
      proposal_.notes.push_back(
          {Note::Severity::warning, object_address,
           fmt::format("the document no longer names it, and it is left as it is: {} needs "
                       "disruption {}",
                       step->title, to_string(step->disruption)),
           "allow it by policy.disruption, or do it by hand"});
      return;
    }
    if (!step) step = forget(object_address, object);
    step->gives_back = object_address;
    step->reason = ActionReason::removed_from_desired;
    proposal_.steps.push_back(*std::move(step));
  }

 private:
  /// Nothing: it is no longer what was set, or as it was before.
  std::optional<Step> step_back(std::string_view field, const Ownership::Object& object) const {
    if (guest_.keeper() != DomainKeeper::none || !guest_.domain.persistent) return std::nullopt;
    if (field == "devices") {
      const auto back = vm_binding::restoration(guest_, table_, object);
      if (!back) return std::nullopt;
      Devices before;
      for (const auto& device : vm_binding::devices_of(back->add)) before.insert(device.device);
      return redefinition_step(guest_, *back, back->remove, before);
    }
    if (field == "autostart") {
      const bool before = object.before.value("autostart", false);
      if (Json(guest_.domain.autostart) != object.applied || guest_.domain.autostart == before)
        return std::nullopt;
      return vm_binding::autostart_step(guest_, before);
    }
    const bool before = object.before.value("state", std::string{}) == "running";
    const bool now = guest_.domain.running;
    if (Json(running_word(now)) != object.applied || now == before) return std::nullopt;
    return before ? vm_binding::start_step(guest_) : vm_binding::stop_step(guest_, policy_);
  }

  Step forget(const std::string& object_address, const Ownership::Object& object) const {
    auto step = vm_binding::autostart_step(guest_, guest_.domain.autostart);
    step.action.verb = "forget";
    step.action.address = object_address;
    step.actions = {"release"};
    step.title = fmt::format("leave {} as it is", object_address);
    step.progress = fmt::format("leaving {}", object_address);
    step.before = step.after = object.applied;
    return step;
  }

  const Guest& guest_;
  const DeviceTable& table_;
  const Policy& policy_;
  Proposal& proposal_;
};

/// "NAME" and "FIELD" of "vm[NAME].FIELD".
std::optional<std::pair<std::string, std::string>> parts_of(const std::string& object_address) {
  constexpr std::string_view prefix = "vm[";
  const auto close = object_address.rfind("].");
  if (!object_address.starts_with(prefix) || close == std::string::npos) return std::nullopt;
  return std::pair(object_address.substr(prefix.size(), close - prefix.size()),
                   object_address.substr(close + 2));
}

bool names_field(const VmSpec* spec, std::string_view field) {
  if (spec == nullptr) return false;
  if (field == "devices") return spec->devices.has_value();
  return field == "autostart" ? spec->autostart.has_value() : spec->state.has_value();
}

/// A domain that is gone has taken everything with it.
Step forget_missing(const std::string& object_address, const Ownership::Object& object) {
  Step step;
  step.action = {std::string(VmBinding::kind_name), "forget", object_address, Json::object()};
  step.actions = {"release"};
  step.title = fmt::format("forget {}, whose domain is gone", object_address);
  step.progress = fmt::format("forgetting {}", object_address);
  step.before = object.applied;
  step.gives_back = object_address;
  step.reason = ActionReason::removed_from_desired;
  return step;
}

}  // namespace

void VmBinding::compare(const VmSpec& spec, const VmBindingState& state, const DeviceTable& table,
                        const PlanInput& input, Proposal& proposal) const {
  if (const auto error = state.unreachable.find(spec.connection); error != state.unreachable.end())
    return unknown_fields(spec, error->second, proposal);
  const auto* guest = state.find(spec.connection, *spec.name);
  if (guest == nullptr) return refuse_missing(spec, state, proposal);
  if (!guest->definition) return unknown_fields(spec, guest->definition.error(), proposal);
  if (!guest->may_be_stopped())
    return refuse(spec, guest->why_not_stopped(), "take it out of 'vms': gpuhost changes no such domain",
                  proposal);
  Devices wanted;
  if (spec.devices) {
    auto asked = table.wanted(**spec.devices);
    if (!asked.problem.empty()) return unknown_fields(spec, {ErrorKind::not_found, asked.problem}, proposal);
    if (!asked.absent.empty()) {
      proposal.conditions.push_back({Condition::Type::degraded, fmt::format("vm[{}]", *spec.name),
                                     asked.absent + ", so that the VM is left as it is"});
      return;
    }
    wanted = std::move(asked.devices);
  }
  Comparison comparison(spec, *guest, table, input.policy, proposal);
  if (spec.devices) comparison.compare_devices(wanted);
  comparison.compare_autostart();
  comparison.compare_state(start_of(*guest, table, input));
}

Proposal VmBinding::plan_from(const VmBindingState& state, const PlanInput& input) const {
  Proposal proposal;
  if (!state.running) return proposal;
  const auto devices = table(state, input.owned);
  for (const auto& spec : vms_) compare(spec, state, devices, input, proposal);
  for (const auto& [object_address, object] : input.owned.of(input.document)) {
    const auto parts = parts_of(object_address);
    if (!parts || names_field(spec_of(parts->first), parts->second)) continue;
    const auto connection = object.before.is_object()
                                ? object.before.value("connection", std::string(system_connection))
                                : std::string(system_connection);
    if (const auto error = state.unreachable.find(connection); error != state.unreachable.end()) {
      proposal.notes.push_back(
          {Note::Severity::warning, object_address,
           fmt::format("the document no longer names it, and it cannot be given back now: {}",
                       error->second.message)});
      continue;
    }
    const auto* guest = state.find(connection, parts->first);
    if (guest == nullptr)
      proposal.steps.push_back(forget_missing(object_address, object));
    else
      Restorer(*guest, devices, input.policy, proposal).give_back(object_address, parts->second, object);
  }
  return proposal;
}

}  // namespace gpuhost
