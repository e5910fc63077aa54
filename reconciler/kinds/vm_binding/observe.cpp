#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vgpu_functions.hpp"
#include "kinds/vm_binding/give_back.hpp"
#include "kinds/vm_binding/kind.hpp"

namespace gpuhost {

namespace {

using vm_binding::Device;

constexpr std::string_view subject_prefix = "vm/";
constexpr std::string_view without_prefix = "without ";

/// A fact about a domain: "vm/NAME STATE".
struct GuestFact {
  std::string name;
  std::string state;
};

std::optional<GuestFact> guest_fact(const Fact& fact) {
  if (!fact.subject.starts_with(subject_prefix)) return std::nullopt;
  return GuestFact{fact.subject.substr(subject_prefix.size()), fact.state};
}

/// The device of "without gpu/0000:61:00.0" or "without vgpu/UUID".
std::optional<Device> device_without(std::string_view state) {
  if (!state.starts_with(without_prefix)) return std::nullopt;
  return vm_binding::parse_device(state.substr(state.find('/') + 1));
}

/// What is true of a guest once it is off.
bool is_about_running(const GuestFact& fact) {
  return fact.state == "stopped" || device_without(fact.state).has_value();
}

Guest read_guest(const std::string& connection, const Domain& domain) {
  auto definition = read_domain_xml(domain.definition.empty() ? domain.live : domain.definition);
  auto live = domain.running || domain.saved ? read_domain_xml(domain.live) : definition;
  return {connection, domain, std::move(definition), std::move(live)};
}

/// Domains that a record names, by connection.
std::set<std::pair<std::string, std::string>> owned_guests(const Result<Ownership>& owned) {
  std::set<std::pair<std::string, std::string>> guests;
  if (!owned) return guests;
  for (const auto& document : owned->documents())
    for (const auto& [address, object] : owned->of(document))
      if (const auto field = vm_binding::parse_object(address))
        guests.emplace(vm_binding::connection_in(object), field->vm);
  return guests;
}

}  // namespace

std::unique_ptr<Kind> make_vm_binding(std::vector<VmSpec> vms, std::vector<NamedDevices> devices,
                                      bool all_matter) {
  return std::make_unique<VmBinding>(std::move(vms), std::move(devices), all_matter);
}

DomainKeeper Guest::keeper() const {
  if (definition && definition->keeper != DomainKeeper::none) return definition->keeper;
  return live ? live->keeper : DomainKeeper::none;
}

std::string Guest::why_not_stopped() const {
  switch (keeper()) {
    case DomainKeeper::nova:
      return fmt::format("VM {} belongs to OpenStack Nova: stop or migrate it there", domain.name);
    case DomainKeeper::kubevirt:
      return fmt::format("VM {} belongs to KubeVirt: stop or migrate it there", domain.name);
    case DomainKeeper::none:
      break;
  }
  if (!domain.persistent)
    return fmt::format("VM {} is transient, and would be gone once stopped: stop it by hand", domain.name);
  if (!definition)
    return fmt::format("the definition of VM {} cannot be read, nor whose it is: {}", domain.name,
                       definition.error().message);
  return {};
}

VmBindingState VmBinding::look(const HostView& host) const {
  VmBindingState state{.running = host.running,
                       .inventory = inventory_of(host),
                       .space = identity_space(host.files),
                       .owned = Ownership::load(host.files),
                       .vendor_kernel = has_vendor_kernel(host.files)};
  if (!host.running) return state;
  auto named = owned_guests(state.owned);
  for (const auto& vm : vms_) named.emplace(vm.connection, *vm.name);
  std::set<std::string> connections;
  for (const auto& [connection, name] : named) connections.insert(connection);
  if (all_matter_ || !state.gpus().gpus.empty()) connections.insert(system_connection);
  for (const auto& connection : connections) {
    const auto domains = domains_of(host, connection);
    if (!*domains) {
      state.unreachable.emplace(connection, domains->error());
      continue;
    }
    for (const auto& domain : **domains) {
      state.names[connection].push_back(domain.name);
      if (domain.running || named.contains({connection, domain.name}))
        state.guests[connection].emplace(domain.name, read_guest(connection, domain));
    }
  }
  return state;
}

const Inventory& VmBindingState::gpus() const {
  static const Inventory none;
  const auto* known = gpus_or_none(*inventory);
  return known ? *known : none;
}

const Guest* VmBindingState::find(const std::string& connection, const std::string& name) const {
  const auto there = guests.find(connection);
  if (there == guests.end()) return nullptr;
  const auto guest = there->second.find(name);
  return guest == there->second.end() ? nullptr : &guest->second;
}

Json VmBindingState::describe() const {
  if (!running) return {{"not_applicable", "no libvirt runs under --root"}};
  Json shown = Json::object();
  for (const auto& [connection, error] : unreachable) shown[connection] = unknown_json(error);
  for (const auto& [connection, there] : guests)
    for (const auto& [name, guest] : there) {
      Json& vm = shown[connection][name];
      vm = {{"running", guest.domain.running},
            {"autostart", guest.domain.autostart},
            {"persistent", guest.domain.persistent},
            {"host_devices", Json::array()}};
      if (guest.definition)
        for (const auto& device : guest.definition->host_devices)
          vm["host_devices"].push_back(vm_binding::to_string(device.device));
    }
  return shown;
}

const VmSpec* VmBinding::spec_of(const std::string& name) const {
  const auto found = std::ranges::find_if(vms_, [&](const VmSpec& vm) { return *vm.name == name; });
  return found == vms_.end() ? nullptr : &*found;
}

std::string VmBinding::connection_of(const std::string& name) const {
  const auto* spec = spec_of(name);
  return spec ? spec->connection : system_connection;
}

vm_binding::DeviceTable VmBinding::table(const VmBindingState& state, const Ownership& owned) const {
  return {state.gpus(), devices_, state.space, owned, state.vendor_kernel};
}

std::optional<Truth> VmBinding::holds_in(const Fact& fact, const VmBindingState& state) const {
  const auto asked = guest_fact(fact);
  if (!asked) return std::nullopt;
  const auto connection = connection_of(asked->name);
  if (const auto error = state.unreachable.find(connection); error != state.unreachable.end())
    return Truth::unknown(error->second.message);
  const auto* guest = state.find(connection, asked->name);
  if (asked->state == "defined")
    return Truth::of(true);  // a definition that is not so has a step that makes it so
  if (guest == nullptr || !guest->domain.running) return Truth::of(true);
  if (asked->state == "stopped") return Truth::of(false);
  const auto device = device_without(asked->state);
  if (!device) return std::nullopt;
  if (!guest->live) return Truth::unknown(guest->live.error().message);
  return Truth::of(vm_binding::find_device(*guest->live, *device) == nullptr);
}

std::vector<Offer> VmBinding::offer_from(const Fact& fact, const VmBindingState& state,
                                         const PlanInput& input) const {
  const auto asked = guest_fact(fact);
  if (!asked) return {};
  const auto* guest = state.find(connection_of(asked->name), asked->name);
  if (!is_about_running(*asked) || guest == nullptr || !guest->domain.running || !guest->may_be_stopped())
    return {};
  return {Offer{
      .needs = {},
      .acquire = vm_binding::stop_step(*guest, input.policy),
      .release = start_of(*guest, state, table(state, input.owned), input),
      .otherwise = fmt::format("give VM {} other devices, or say state: stopped of it", guest->domain.name)}};
}

std::string VmBinding::obstacle_in(const Fact& fact, const VmBindingState& state) const {
  const auto asked = guest_fact(fact);
  if (!asked || !is_about_running(*asked)) return {};
  const auto* guest = state.find(connection_of(asked->name), asked->name);
  return guest == nullptr ? std::string{} : guest->why_not_stopped();
}

std::vector<HostDevice> VmBinding::final_devices(const Guest& guest, const vm_binding::DeviceTable& table,
                                                 const PlanInput& input) const {
  std::vector<HostDevice> devices;
  if (!guest.definition) return devices;
  const auto* spec = spec_of(guest.domain.name);
  if (spec && spec->devices) {
    const auto wanted = table.wanted(**spec->devices);
    if (!wanted.is_known()) return guest.definition->host_devices;  // it is left as it is
    for (const auto& device : wanted.devices) devices.push_back({.device = device, .element = {}});
    return devices;
  }
  const auto* owned = input.owned.find(input.document, vm_binding::address(guest.domain.name, "devices"));
  const auto back = owned ? vm_binding::restoration(guest, table, *owned) : std::nullopt;
  if (!back) return guest.definition->host_devices;
  devices = vm_binding::devices_of(back->add);
  const auto stays = [&](const HostDevice& device) {
    return !back->remove.contains(device.device) &&
           std::ranges::find(devices, device.device, &HostDevice::device) == devices.end();
  };
  std::vector<HostDevice> kept;
  std::ranges::copy_if(guest.definition->host_devices, std::back_inserter(kept), stays);
  devices.insert(devices.end(), kept.begin(), kept.end());
  return devices;
}

void VmBinding::take(const std::set<Device>& devices, const Guest& guest, const VmBindingState& state,
                     const vm_binding::DeviceTable& table, const PlanInput& input, Step& step) const {
  for (const auto& device : devices) step.ends.push_back(vm_binding::without(guest, device));
  const auto will_run = [&](const Guest& other) {
    const auto* spec = spec_of(other.domain.name);
    return other.domain.running || (spec && spec->state && **spec->state == VmSpec::State::running);
  };
  for (const auto& [connection, there] : state.guests)
    for (const auto& [name, other] : there) {
      if (&other == &guest || !will_run(other)) continue;
      std::set<Device> others;
      for (const auto& device : final_devices(other, table, input)) others.insert(device.device);
      for (const auto& device : devices)
        if (others.contains(device) || !other.live || vm_binding::find_device(*other.live, device) != nullptr)
          step.needs.push_back(vm_binding::without(other, device));
    }
}

Step VmBinding::start_of(const Guest& guest, const VmBindingState& state,
                         const vm_binding::DeviceTable& table, const PlanInput& input) const {
  auto step = vm_binding::start_step(guest);
  std::set<Fact> facts{gpu_facts::defined(guest.domain.name)};
  std::set<Device> taken;
  for (const auto& device : final_devices(guest, table, input)) {
    if (table.is_nvidias(device.device)) taken.insert(device.device);
    if (auto fact = table.needed_by(device.device, device.managed)) facts.insert(*std::move(fact));
  }
  if (const auto* spec = spec_of(guest.domain.name); spec && spec->devices)
    for (const auto& [name, uuid] : table.wanted(**spec->devices).to_come)
      facts.insert(gpu_facts::present(uuid));
  step.needs.assign(facts.begin(), facts.end());
  take(taken, guest, state, table, input, step);
  return step;
}

}  // namespace gpuhost
