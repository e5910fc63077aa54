#include "kinds/gpu_selection.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"

namespace gpuhost {

namespace {

using By = GpuSelector::By;

/// "10de:20b0/10de:134f" in its ids.
struct PciIds {
  std::uint16_t device = 0;
  std::uint16_t subsystem = 0;
};

PciIds ids_in(const std::string& pci_id) {
  const auto number = [&](std::size_t at) {
    return pci_id.size() < at + 4
               ? std::uint16_t{0}
               : static_cast<std::uint16_t>(parse_unsigned("0x" + pci_id.substr(at, 4)).value_or(0));
  };
  return {number(5), number(15)};
}

bool is_model(const std::string& model, const std::string& pci_id) {
  const auto ids = ids_in(pci_id);
  const auto boards = catalog::boards_named(model);
  return std::ranges::find(boards, catalog::board_of(ids.device, ids.subsystem)) != boards.end();
}

/// Documents may write a UUID with or without "GPU-".
std::string_view bare(std::string_view uuid) {
  if (uuid.starts_with("GPU-")) uuid.remove_prefix(4);
  return uuid;
}

/// By what is on record of every GPU, so that one that is absent is told as well.
bool matches_record(const GpuSelector& selector, const KnownGpu& gpu) {
  switch (selector.by) {
    case By::address:
      return gpu.address.to_string() == selector.value;
    case By::pci_id:
      return gpu.pci_id == selector.value || gpu.pci_id.starts_with(selector.value + "/");
    case By::model:
      return is_model(selector.value, gpu.pci_id);
    case By::uuid:
      return gpu.uuid && bare(*gpu.uuid) == selector.value;
    case By::serial:
      return gpu.serial == selector.value;
    case By::slot:
      return false;
    case By::all:
      return true;
  }
  return false;
}

bool matches(const GpuSelector& selector, const Gpu& gpu) {
  if (selector.by == By::slot) return gpu.slot == selector.value;
  return matches_record(selector, {gpu.address, gpu.pci_id(), gpu.uuid, gpu.serial});
}

/// "0000:41:00.0 (10de:20f1/10de:145f)" of each GPU there is.
std::string all_of(const Inventory& inventory) {
  std::vector<std::string> shown;
  for (const auto& gpu : inventory.gpus) {
    const auto* board = catalog::board_of(gpu.device_id, gpu.subsystem_device_id);
    shown.push_back(fmt::format("{} ({}{}{})", gpu.address.to_string(), gpu.pci_id(), board ? ", " : "",
                                board ? board->product : ""));
  }
  return shown.empty() ? "there is no NVIDIA GPU" : "there are " + join(shown, ", ");
}

/// GPUs whose UUID or serial number is not known could be the one that is meant.
std::string cannot_be_told(const GpuSelector& selector, const Inventory& inventory) {
  if (selector.by != By::uuid && selector.by != By::serial) return {};
  const bool by_uuid = selector.by == By::uuid;
  std::vector<std::string> nameless;
  for (const auto& gpu : inventory.gpus)
    if (!(by_uuid ? gpu.uuid : gpu.serial)) nameless.push_back(gpu.address.to_string());
  if (nameless.empty()) return {};
  return fmt::format(
      "no GPU is known by {} {}, and that of {} is not known: NVIDIA's driver does not show it "
      "and gpuhost has no record",
      by_uuid ? "UUID" : "serial number", selector.value, join(nameless, ", "));
}

void judge(const GpuEntry& entry, const Inventory& inventory, Selection& selection) {
  const auto& selector = *entry.selector;
  const auto found = selection.gpus.size();
  if (found == 0) selection.unknown = cannot_be_told(selector, inventory);
  if (!selection.unknown.empty()) return;
  const auto wanted = selector.expect;
  if (wanted ? found == *wanted : found > 0) return;
  selection.problem =
      wanted ? fmt::format("{} matches {} of {} expected GPUs", selector.to_string(), found, *wanted)
             : fmt::format("{} matches no GPU", selector.to_string());
  if (!selection.absent.empty())
    selection.problem += fmt::format("; seen before and absent now: {}", join(selection.absent, ", "));
  selection.advice =
      fmt::format("{}; correct the selector, or set missing: skip to do without", all_of(inventory));
}

}  // namespace

Selection select_gpus(const GpuEntry& entry, const Inventory& inventory) {
  Selection selection;
  if (!entry.selector) return selection;
  const auto& selector = *entry.selector;
  std::vector<std::pair<PciAddress, const Gpu*>> matched;
  for (const auto& gpu : inventory.gpus)
    if (matches(selector, gpu)) matched.emplace_back(gpu.address, &gpu);
  for (const auto& known : inventory.known)
    if (inventory.find(known.address) == nullptr && matches_record(selector, known))
      matched.emplace_back(known.address, nullptr);
  std::ranges::sort(matched);
  const bool numbered = entry.name && (matched.size() > 1 || selector.expect.value_or(1) > 1);
  for (std::size_t i = 0; i < matched.size(); ++i) {
    const auto& [address, gpu] = matched[i];
    auto name = entry.name ? **entry.name : std::string{};
    if (numbered) name += fmt::format("#{}", i);
    const auto label = name.empty() ? address.to_string() : name;
    if (gpu != nullptr)
      selection.gpus.push_back({gpu, label, name});
    else
      selection.absent.push_back(label);
  }
  judge(entry, inventory, selection);
  return selection;
}

bool is_named(const SelectedGpu& gpu, std::string_view reference) {
  return !gpu.name.empty() && (gpu.name == reference || gpu.name + "#0" == reference);
}

std::string gpu_address(const SelectedGpu& gpu, std::string_view field) {
  return fmt::format("gpu[{}].{}", gpu.label, field);
}

std::string gpu_object(const Gpu& gpu, std::string_view field) {
  return fmt::format("gpu[{}].{}", gpu.address.to_string(), field);
}

std::string identity_of(const Gpu& gpu) {
  return gpu.uuid ? fmt::format("{} {}", gpu.pci_id(), *gpu.uuid) : gpu.pci_id();
}

std::optional<PciAddress> gpu_of_object(std::string_view object, std::string_view field) {
  constexpr std::string_view prefix = "gpu[";
  if (!object.starts_with(prefix)) return std::nullopt;
  object.remove_prefix(prefix.size());
  const auto close = object.find("].");
  if (close == std::string_view::npos || object.substr(close + 2) != field) return std::nullopt;
  return PciAddress::parse(object.substr(0, close));
}

bool is_identity_of(std::string_view recorded, const Gpu& gpu) {
  return recorded == identity_of(gpu) || recorded == gpu.pci_id() ||
         (!gpu.uuid && recorded.starts_with(gpu.pci_id() + " "));
}

}  // namespace gpuhost
