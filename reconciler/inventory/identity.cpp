#include "inventory/identity.hpp"

#include <algorithm>

#include "host/state_record.hpp"

namespace gpuhost::identity_record {

namespace {

constexpr StateRecord file{path, "remove it; gpuhost writes it again from what it sees"};

std::optional<std::string> text_at(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

std::optional<KnownGpu> gpu_from(const Json& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto address = PciAddress::parse(text_at(entry, "address").value_or(""));
  const auto pci_id = text_at(entry, "pci_id");
  if (!address || !pci_id) return std::nullopt;
  return KnownGpu{*address, *pci_id, text_at(entry, "uuid"), text_at(entry, "serial")};
}

Json json_of(const KnownGpu& gpu) {
  Json entry{{"address", gpu.address.to_string()}, {"pci_id", gpu.pci_id}};
  if (gpu.uuid) entry["uuid"] = *gpu.uuid;
  if (gpu.serial) entry["serial"] = *gpu.serial;
  return entry;
}

}  // namespace

Result<std::vector<KnownGpu>> load(const FileReader& files) {
  const auto record = file.read(files);
  if (!record) return std::unexpected(record.error());
  if (record->is_null()) return std::vector<KnownGpu>{};
  std::vector<KnownGpu> gpus;
  for (const auto& entry : record->value("gpus", Json::array())) {
    auto gpu = gpu_from(entry);
    if (!gpu) return std::unexpected(file.damaged("an entry is no GPU"));
    gpus.push_back(*std::move(gpu));
  }
  std::ranges::sort(gpus, {}, &KnownGpu::address);
  return gpus;
}

std::vector<KnownGpu> updated(const Inventory& seen) {
  auto known = seen.known;
  for (const auto& gpu : seen.gpus) {
    std::erase_if(known, [&](const KnownGpu& other) {
      return other.address == gpu.address || (gpu.uuid && other.uuid == gpu.uuid);
    });
    known.push_back({gpu.address, gpu.pci_id(), gpu.uuid, gpu.serial});
  }
  std::ranges::sort(known, {}, &KnownGpu::address);
  return known;
}

Result<void> store(const std::vector<KnownGpu>& gpus, const FileReader& reader, FileWriter& files) {
  if (const auto recorded = load(reader); recorded && *recorded == gpus) return {};
  Json entries = Json::array();
  for (const auto& gpu : gpus) entries.push_back(json_of(gpu));
  if (auto written = file.write(reader, files, {{"gpus", std::move(entries)}}); !written)
    return std::unexpected(std::move(written).error().within("the identity of the GPUs cannot be recorded"));
  return {};
}

}  // namespace gpuhost::identity_record
