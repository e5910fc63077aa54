#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpus/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

Json json_of(const Gpu& gpu, const Usage* usage) {
  Json shown{{"pci_id", gpu.pci_id()}, {"driver", gpu.driver.empty() ? Json() : Json(gpu.driver)}};
  if (const auto* board = catalog::board_of(gpu.device_id, gpu.subsystem_device_id))
    shown["model"] = board->product;
  if (gpu.uuid) shown["uuid"] = *gpu.uuid;
  if (gpu.serial) shown["serial"] = *gpu.serial;
  if (gpu.slot) shown["slot"] = *gpu.slot;
  if (gpu.iommu_group) shown["iommu_group"] = *gpu.iommu_group;
  if (gpu.boot_display) shown["boot_display"] = *gpu.boot_display;
  for (const auto& companion : gpu.companions)
    shown["companions"][companion.address.to_string()] = companion.driver;
  for (const auto& neighbour : gpu.group_neighbours)
    shown["group_neighbours"][neighbour.address.to_string()] = neighbour.driver;
  if (usage == nullptr) return shown;
  if (usage->unknown()) shown["holders"] = unknown_json(*usage->unknown());
  for (const auto& holder : usage->of(gpu)) shown["holders"].push_back(sentence_of(holder));
  return shown;
}

/// What stands behind "SUBJECT/" in a fact.
template <class T>
std::optional<T> subject_of(const Fact& fact, std::string_view prefix) {
  if (!fact.subject.starts_with(prefix)) return std::nullopt;
  return T::parse(std::string_view(fact.subject).substr(prefix.size()));
}

}  // namespace

std::unique_ptr<Kind> make_gpus(std::vector<GpuEntry> entries) {
  return std::make_unique<Gpus>(std::move(entries));
}

GpusState Gpus::look(const HostView& host) const {
  GpusState state{.running = host.running, .inventory = inventory_of(host)};
  if (host.running) state.usage = usage_of(host);
  return state;
}

Json GpusState::describe() const {
  if (!*inventory)
    return inventory->error().kind == ErrorKind::not_found ? Json::object()
                                                           : unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : (**inventory).gpus) shown[gpu.address.to_string()] = json_of(gpu, usage.get());
  return shown;
}

std::optional<std::vector<Holder>> GpusState::holders(const Fact& fact) const {
  if (fact.state != "idle" || !*inventory) return std::nullopt;
  if (const auto address = subject_of<PciAddress>(fact, "gpu/")) {
    const auto* gpu = (**inventory).owner_of(*address);
    if (gpu == nullptr || !usage) return std::vector<Holder>{};
    const auto* function = gpu->function_at(*address);
    return function != nullptr ? usage->of(*function) : usage->of(*gpu);
  }
  if (const auto uuid = subject_of<Uuid>(fact, "vgpu/")) {
    const auto* vgpu = (**inventory).find(*uuid);
    return vgpu && usage ? usage->of(*vgpu) : std::vector<Holder>{};
  }
  return std::nullopt;
}

std::optional<Truth> Gpus::holds_in(const Fact& fact, const GpusState& state) const {
  if (fact.state == "gone" && fact.subject.starts_with("process/")) return Truth::of(false);
  const auto holders = state.holders(fact);
  if (!holders) return std::nullopt;
  if (!holders->empty()) return Truth::of(false);
  if (state.usage && state.usage->unknown()) return Truth::unknown(state.usage->unknown()->message);
  return Truth::of(true);
}

std::vector<Offer> Gpus::offer_from(const Fact& fact, const GpusState& state, const PlanInput&) const {
  const auto holders = state.holders(fact);
  if (!holders || holders->empty()) return {};
  Offer offer;
  for (const auto& holder : *holders) {
    if (holder.type == Holder::Type::unit) {
      offer.needs.push_back({"unit/" + holder.name, "inactive"});
    } else if (holder.type == Holder::Type::process) {
      offer.needs.push_back(gpu_facts::gone(*holder.pid));
    } else {
      for (const auto& device : holder.devices)
        offer.needs.push_back(
            std::visit([&](const auto& one) { return gpu_facts::without(holder.name, one); }, device));
    }
  }
  return {std::move(offer)};
}

std::string Gpus::obstacle_in(const Fact& fact, const GpusState& state) const {
  if (fact.state != "gone" || !state.usage || !*state.inventory) return {};
  for (const auto& gpu : (**state.inventory).gpus)
    for (const auto& holder : state.usage->of(gpu))
      if (holder.type == Holder::Type::process && gpu_facts::gone(*holder.pid) == fact)
        return fmt::format(
            "GPU {} is held by {}, which belongs to no unit and no VM of this host's libvirt: end it, then "
            "plan "
            "again",
            gpu.address.to_string(), sentence_of(holder));
  return {};
}

}  // namespace gpuhost
