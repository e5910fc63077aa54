#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/list_or_none.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/passthrough/kind.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view subject_prefix = "gpu/";
constexpr std::string_view state_prefix = "bound to ";

std::vector<std::string> list(const FileReader& files, const std::string& directory) {
  return files.list(directory).value_or(std::vector<std::string>{});
}

std::set<std::string> drivers_there(const FileReader& files) {
  const auto names = list(files, "/sys/bus/pci/drivers");
  return {names.begin(), names.end()};
}

Result<bool> is_iommu_active(const FileReader& files) {
  const auto units = list_or_none(files, "/sys/class/iommu");
  if (!units) return std::unexpected(units.error());
  return !units->empty();
}

/// The process in a stream's status: "owner_pid   : 1234"; nothing while it is closed.
std::optional<int> owner_in(std::string_view status) {
  for (const auto line : lines(status)) {
    if (!line.starts_with("owner_pid")) continue;
    if (const auto pid = parse_unsigned(trim(line.substr(line.find(':') + 1)))) return static_cast<int>(*pid);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> unreadable_in_group(const Gpu& gpu) {
  if (gpu.unreadable) return gpu.unreadable;
  for (const auto* others : {&gpu.companions, &gpu.group_neighbours})
    for (const auto& other : *others)
      if (other.unreadable) return other.unreadable;
  return std::nullopt;
}

namespace {

/// Whether a guest can be given the GPU: for vfio-pci the group decides.
bool is_bound(const Gpu& gpu, std::string_view driver) {
  if (gpu.driver != driver) return false;
  const auto viable = [](const PciFunction& function) { return keeps_group_viable(function.driver); };
  return driver != vfio_driver ||
         (std::ranges::all_of(gpu.companions, viable) && std::ranges::all_of(gpu.group_neighbours, viable));
}

}  // namespace

std::unique_ptr<Kind> make_passthrough(std::vector<GpuEntry> entries) {
  return std::make_unique<Passthrough>(std::move(entries));
}

Passthrough::Passthrough(std::vector<GpuEntry> entries) : entries_(std::move(entries)) {
  std::erase_if(entries_, [](const GpuEntry& entry) { return !entry.mode; });
}

std::optional<int> sound_user(const FileReader& files, const PciAddress& function) {
  for (const auto& card : list(files, fmt::format("/sys/bus/pci/devices/{}/sound", function.to_string()))) {
    const auto directory = "/proc/asound/" + card;
    for (const auto& stream : list(files, directory)) {
      if (!stream.starts_with("pcm")) continue;
      for (const auto& part : list(files, directory + "/" + stream)) {
        const auto status = files.read(fmt::format("{}/{}/{}/status", directory, stream, part));
        if (const auto pid = status ? owner_in(*status) : std::nullopt) return pid;
      }
    }
  }
  return std::nullopt;
}

PassthroughState Passthrough::look(const HostView& host) const {
  PassthroughState state{.running = host.running, .inventory = inventory_of(host)};
  if (!host.running || !*state.inventory || (entries_.empty() && !is_owned_of_some_gpu(host.files, field)))
    return state;
  state.usage = usage_of(host);
  state.defined = defined_devices_of(host);
  state.drivers = drivers_there(host.files);
  state.iommu_active = is_iommu_active(host.files);
  for (const auto& gpu : (**state.inventory).gpus)
    for (const auto& companion : gpu.companions)
      if (const auto pid = sound_user(host.files, companion.address))
        state.sound_users.emplace(companion.address, *pid);
  return state;
}

Json PassthroughState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  const auto* seen = gpus_or_none(*inventory);
  if (seen == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : seen->gpus) {
    std::vector<Binding> bindings{binding_of(gpu)};
    for (const auto* others : {&gpu.companions, &gpu.group_neighbours})
      for (const auto& other : *others) bindings.push_back(binding_of(other));
    shown[gpu.address.to_string()] = json_of(bindings);
  }
  return shown;
}

std::optional<Truth> Passthrough::holds_in(const Fact& fact, const PassthroughState& state) const {
  if (!fact.subject.starts_with(subject_prefix) || !fact.state.starts_with(state_prefix)) return std::nullopt;
  const auto address = PciAddress::parse(std::string_view(fact.subject).substr(subject_prefix.size()));
  if (!address) return std::nullopt;
  if (!state.running) return Truth::unknown("no kernel runs under --root");
  const auto* seen = gpus_or_none(*state.inventory);
  if (seen == nullptr) return Truth::unknown(state.inventory->error().message);
  const auto* gpu = seen->find(*address);
  if (gpu != nullptr)
    if (const auto why = unreadable_in_group(*gpu)) return Truth::unknown(why->message);
  return Truth::of(gpu != nullptr &&
                   is_bound(*gpu, std::string_view(fact.state).substr(state_prefix.size())));
}

std::string Passthrough::advice(const Fact& fact) const {
  if (!fact.subject.starts_with(subject_prefix) || !fact.state.starts_with(state_prefix)) return {};
  return fact.state.ends_with(vfio_driver) ? "set mode: passthrough in the GPU's entry"
                                           : "set mode: vgpu or bare-metal in the GPU's entry";
}

}  // namespace gpuhost
