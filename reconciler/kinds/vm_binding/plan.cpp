#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vm_binding/give_back.hpp"
#include "kinds/vm_binding/kind.hpp"

namespace gpuhost {

namespace {

using vm_binding::address;
using vm_binding::Device;
using vm_binding::DeviceTable;
using vm_binding::Redefinition;
using vm_binding::running_word;
using Devices = std::set<Device>;
using Attach = VmSpec::Attach;

Devices difference(const Devices& a, const Devices& b) {
  Devices rest;
  std::ranges::set_difference(a, b, std::inserter(rest, rest.end()));
  return rest;
}

/// The exact elements of the devices, to be put back one day.
Json elements_of(const DomainXml& xml, const Devices& devices) {
  Json elements = Json::array();
  for (const auto& device : xml.host_devices)
    if (devices.contains(device.device)) elements.push_back(device.element);
  return elements;
}

/// One domain, held against what the document says of it.
class Comparison {
 public:
  /// `take`: what a step needs that takes the device for the guest.
  Comparison(const VmSpec& spec, const Guest& guest, const DeviceTable& table, const Policy& policy,
             std::function<void(const Device&, Step&)> take, Proposal& proposal)
      : spec_(spec),
        guest_(guest),
        table_(table),
        policy_(policy),
        take_(std::move(take)),
        proposal_(proposal) {}

  void compare_devices(const DeviceTable::Wanted& asked) {
    const auto& wanted = asked.devices;
    const auto& definition = *guest_.definition;
    const auto seen = table_.of(definition);
    auto desired = table_.shown(wanted);
    for (const auto& [name, uuid] : asked.to_come) desired.push_back({{"vgpu", name}});
    Redefinition change{.remove = difference(seen, wanted), .unmanage = {}, .add = {}};
    for (const auto& device : difference(wanted, seen)) change.add.push_back(vm_binding::element_of(device));
    for (const auto& device : definition.host_devices)
      if (device.managed && device.is_pci() && wanted.contains(device.device))
        change.unmanage.insert(device.device);
    std::string reason;
    if (seen == wanted && !change.unmanage.empty())
      reason = "libvirt would bind and unbind the device itself (managed='yes')";
    else if (change.empty())
      reason = pending_restart(wanted);
    const bool differs = !change.empty() || !asked.to_come.empty();
    const auto at = add_finding("devices", desired, table_.shown(seen), differs, reason);
    if (differs) {
      auto step = vm_binding::define_step(guest_, change, table_.shown(seen), desired);
      step.explanation = reason;
      wait_for_functions(asked.to_come, step);
      step.claims = Claim{at,
                          {{"connection", guest_.connection}, {"elements", elements_of(definition, seen)}},
                          std::move(desired)};
      proposal_.steps.push_back(std::move(step));
    }
    note_unknown_devices();
    compare_running_guest(wanted);
  }

  void compare_autostart() {
    if (!spec_.autostart) return;
    const bool wanted = **spec_.autostart;
    auto at = add_finding("autostart", wanted, guest_.domain.autostart, wanted != guest_.domain.autostart);
    if (wanted == guest_.domain.autostart) return;
    auto step = vm_binding::autostart_step(guest_, wanted);
    step.claims = Claim{
        std::move(at), {{"connection", guest_.connection}, {"autostart", guest_.domain.autostart}}, wanted};
    proposal_.steps.push_back(std::move(step));
  }

  /// `start`: the step that starts the guest.
  void compare_state(Step start) {
    if (!spec_.state) return;
    const bool wanted = **spec_.state == VmSpec::State::running;
    const bool running = guest_.domain.running;
    auto at = add_finding("state", running_word(wanted), running_word(running), wanted != running);
    if (wanted == running) return;
    auto step = wanted ? std::move(start) : vm_binding::stop_step(guest_, policy_);
    step.claims = Claim{std::move(at),
                        {{"connection", guest_.connection}, {"state", running_word(running)}},
                        running_word(wanted)};
    proposal_.steps.push_back(std::move(step));
  }

 private:
  /// The address of the field.
  std::string add_finding(std::string_view field, Json desired, Json observed, bool differs,
                          std::string reason = {}) {
    auto at = address(guest_.domain.name, field);
    proposal_.findings.push_back({.address = at,
                                  .verdict = differs ? Finding::Verdict::differs : Finding::Verdict::in_sync,
                                  .desired = std::move(desired),
                                  .observed = std::move(observed),
                                  .reason = std::move(reason)});
    return at;
  }

  /// Which devices they are shows when their functions are there.
  void wait_for_functions(const std::map<std::string, Uuid>& to_come, Step& step) const {
    if (to_come.empty()) return;
    step.provisional = true;
    step.after_unknown = Json::array({"functions"});
    for (const auto& [name, uuid] : to_come) {
      step.needs.push_back(gpu_facts::present(uuid));
      if (keeps_running() && is_changed_live())
        step.blocked_by.push_back(fmt::format(
            "VM {} is to be given {} while it runs, whose virtual function is not there yet: enable "
            "the functions first, or leave out 'attach: live'",
            guest_.domain.name, name));
    }
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

  [[nodiscard]] bool keeps_running() const {
    return guest_.domain.running && !(spec_.state && **spec_.state == VmSpec::State::stopped);
  }
  [[nodiscard]] bool is_changed_live() const { return spec_.attach && **spec_.attach == Attach::live; }

  /// What the guest has until its next start, where that is not what it shall have; else empty. One that is
  /// saved goes on with what it was saved with.
  [[nodiscard]] std::string pending_restart(const Devices& wanted) const {
    const bool goes_on = guest_.domain.saved || (keeps_running() && !is_changed_live());
    if (!goes_on || !guest_.live) return {};
    const auto plugged = table_.of(*guest_.live);
    if (plugged == wanted) return still_managed(wanted);
    if (guest_.domain.saved)
      return fmt::format("the saved guest goes on with {}, and has {} once it was shut down and started",
                         shown(plugged), shown(wanted));
    return fmt::format("the running guest has {}, and {} from its next start on", shown(plugged),
                       shown(wanted));
  }

  /// The devices that libvirt will bind by itself when the guest stops, however it is defined by now.
  [[nodiscard]] std::string still_managed(const Devices& wanted) const {
    Devices managed;
    for (const auto& device : guest_.live->host_devices)
      if (device.managed && device.is_pci() && wanted.contains(device.device)) managed.insert(device.device);
    if (managed.empty()) return {};
    return fmt::format(
        "libvirt takes {} from vfio-pci when the guest stops (managed='yes'), and no more from its next "
        "start on",
        shown(managed));
  }

  void compare_running_guest(const Devices& wanted) {
    if (auto pending = pending_restart(wanted); !pending.empty())
      proposal_.conditions.push_back({.type = Condition::Type::pending_guest_restart,
                                      .address = address(guest_.domain.name, "devices"),
                                      .message = std::move(pending),
                                      .ended_by = gpu_facts::stopped(guest_.domain.name)});
    if (!keeps_running() || !is_changed_live()) return;
    if (!guest_.live) {
      proposal_.findings.push_back({.address = address(guest_.domain.name, "attached"),
                                    .verdict = Finding::Verdict::unknown,
                                    .reason = guest_.live.error().message});
      return;
    }
    const auto plugged = table_.of(*guest_.live);
    if (plugged == wanted) return;
    add_finding("attached", table_.shown(wanted), table_.shown(plugged), true);
    for (const auto& device : difference(plugged, wanted))
      proposal_.steps.push_back(vm_binding::detach_step(guest_, device));
    for (const auto& device : difference(wanted, plugged)) {
      auto step = vm_binding::attach_step(guest_, device);
      if (auto fact = table_.needed_by(device, false)) step.needs.push_back(*std::move(fact));
      take_(device, step);
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
  std::function<void(const Device&, Step&)> take_;
  Proposal& proposal_;
};

/// The devices as the document names them: which ones they are may be what cannot be told.
Json desired_of(const VmSpec& spec, std::string_view field) {
  if (field == "autostart") return **spec.autostart;
  if (field == "state") return running_word(**spec.state == VmSpec::State::running);
  Json names = Json::array();
  for (const auto& device : **spec.devices)
    names.push_back({{device.type == VmSpec::Device::Type::gpu ? "gpu" : "vgpu", *device.name}});
  return names;
}

void unknown_field(const VmSpec& spec, std::string_view field, const Error& error, Proposal& proposal) {
  proposal.findings.push_back({.address = address(*spec.name, field),
                               .verdict = Finding::Verdict::unknown,
                               .desired = desired_of(spec, field),
                               .reason = error.message,
                               .permission = lacks_permission(error)});
}

void unknown_fields(const VmSpec& spec, const Error& error, Proposal& proposal) {
  if (spec.autostart) unknown_field(spec, "autostart", error, proposal);
  if (spec.devices) unknown_field(spec, "devices", error, proposal);
  if (spec.state) unknown_field(spec, "state", error, proposal);
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

bool names_field(const VmSpec* spec, std::string_view field) {
  if (spec == nullptr) return false;
  if (field == "devices") return spec->devices.has_value();
  return field == "autostart" ? spec->autostart.has_value() : spec->state.has_value();
}

/// Why a field cannot be given back now; nothing: it can, or its domain is gone.
const Error* reason_to_wait(const vm_binding::OwnedField& field, const std::string& connection,
                            const VmBindingState& state) {
  if (const auto error = state.unreachable.find(connection); error != state.unreachable.end())
    return &error->second;
  if (field.field != "devices") return nullptr;
  const auto* guest = state.find(connection, field.vm);
  if (guest == nullptr) return nullptr;
  if (!guest->definition) return &guest->definition.error();
  return gpus_or_none(*state.inventory) ? nullptr : &state.inventory->error();
}

void leave_for_now(std::string at, const Error& why, Proposal& proposal) {
  proposal.notes.push_back(
      {Note::Severity::warning, std::move(at),
       fmt::format("the document no longer names it, and it is left as it is: {}", why.message), why.advice});
}

/// A reboot ends all guests: those too that no step may stop.
void speak_against_reboot(const VmBindingState& state, const Policy& policy, Proposal& proposal) {
  for (const auto& [connection, guests] : state.guests)
    for (const auto& [name, guest] : guests) {
      if (!guest.domain.running) continue;
      if (auto why = guest.why_not_stopped(); !why.empty())
        proposal.against_reboot.push_back(std::move(why));
      else if (auto protection = policy.protection_of_vm(name))
        proposal.against_reboot.push_back(*std::move(protection));
    }
  if (policy.protected_vms.empty()) return;
  for (const auto& [connection, error] : state.unreachable)
    proposal.against_reboot.push_back(
        fmt::format("whether a protected VM runs cannot be told: {}", error.message));
}

/// A protection that protects nothing may be a slip.
void note_protected(const VmBindingState& state, const Policy& policy, Proposal& proposal) {
  if (state.names.empty() || !state.unreachable.empty()) return;
  std::vector<std::string> known;
  for (const auto& [connection, names] : state.names) known.insert(known.end(), names.begin(), names.end());
  for (const auto& name : policy.protected_vms) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const auto near = suggest(name, known);
    proposal.notes.push_back(
        {Note::Severity::warning, "policy.protect",
         fmt::format("VM {} is protected, and there is none of this name", name),
         near ? fmt::format("did you mean '{}'?", *near) : "correct it, or take it out"});
  }
}

}  // namespace

void VmBinding::compare(const VmSpec& spec, const VmBindingState& state, const DeviceTable& table,
                        const PlanInput& input, Proposal& proposal) const {
  if (const auto error = state.unreachable.find(spec.connection); error != state.unreachable.end()) {
    unknown_fields(spec, error->second, proposal);
    return refuse(
        spec,
        fmt::format("whether VM {} is as it shall be cannot be told: {}", *spec.name, error->second.message),
        error->second.advice, proposal);
  }
  const auto* guest = state.find(spec.connection, *spec.name);
  if (guest == nullptr) {
    unknown_fields(spec, {ErrorKind::not_found, "the domain is not there"}, proposal);
    return refuse_missing(spec, state, proposal);
  }
  if (!guest->definition) return unknown_fields(spec, guest->definition.error(), proposal);
  if (!guest->may_be_stopped()) {
    unknown_fields(spec, {ErrorKind::unsupported, guest->why_not_stopped()}, proposal);
    return refuse(spec, guest->why_not_stopped(), "take it out of 'vms': gpuhost changes no such domain",
                  proposal);
  }
  const bool names_devices = spec.devices.has_value();
  const bool knows_gpus = gpus_or_none(*state.inventory) != nullptr;
  if (names_devices && !knows_gpus) unknown_field(spec, "devices", state.inventory->error(), proposal);
  DeviceTable::Wanted asked;
  if (names_devices && knows_gpus) {
    asked = table.wanted(**spec.devices);
    if (!asked.problem.empty()) return unknown_fields(spec, {ErrorKind::not_found, asked.problem}, proposal);
    if (!asked.mistake.empty()) {
      unknown_fields(spec, {ErrorKind::not_found, asked.mistake}, proposal);
      return refuse(spec, asked.mistake, "name one of them", proposal);
    }
    if (!asked.absent.empty()) {
      proposal.conditions.push_back({Condition::Type::degraded, fmt::format("vm[{}]", *spec.name),
                                     asked.absent + ", so that the VM is left as it is"});
      return;
    }
  }
  const auto take_device = [&](const Device& device, Step& step) {
    take({device}, *guest, state, table, input, step);
  };
  Comparison comparison(spec, *guest, table, input.policy, take_device, proposal);
  if (names_devices && knows_gpus) comparison.compare_devices(asked);
  comparison.compare_autostart();
  comparison.compare_state(start_of(*guest, state, table, input));
}

void VmBinding::give_back(const std::string& object, const Ownership::Object& recorded,
                          const VmBindingState& state, const DeviceTable& table, const PlanInput& input,
                          Proposal& proposal) const {
  const auto field = vm_binding::parse_object(object);
  if (!field || names_field(spec_of(field->vm), field->field)) return;
  const auto connection = vm_binding::connection_in(recorded);
  if (const auto* why = reason_to_wait(*field, connection, state))
    return leave_for_now(object, *why, proposal);
  const auto* guest = state.find(connection, field->vm);
  if (guest == nullptr) {
    proposal.steps.push_back(forget_step(kind_name, object, recorded.applied));
    return;
  }
  proposal.steps.push_back(vm_binding::step_back(*field, *guest, table, recorded, input.policy,
                                                 start_of(*guest, state, table, input)));
}

Proposal VmBinding::plan_from(const VmBindingState& state, const PlanInput& input) const {
  Proposal proposal;
  if (!state.running) return proposal;
  speak_against_reboot(state, input.policy, proposal);
  note_protected(state, input.policy, proposal);
  const auto devices = table(state, input.owned);
  for (const auto& spec : vms_) compare(spec, state, devices, input, proposal);
  for (const auto& [object, recorded] : input.owned.of(input.document))
    give_back(object, recorded, state, devices, input, proposal);
  return proposal;
}

}  // namespace gpuhost
