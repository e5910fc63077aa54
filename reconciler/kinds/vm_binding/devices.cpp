#include "kinds/vm_binding/devices.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/vgpu_functions.hpp"

namespace gpuhost::vm_binding {

namespace {

/// "left" of "left#1".
std::string_view entry_name(std::string_view reference) {
  return reference.substr(0, reference.find('#'));
}

/// 1 of "left#1"; 0 of "left".
std::size_t number_in(std::string_view reference) {
  const auto mark = reference.find('#');
  return mark == std::string_view::npos ? 0 : parse_unsigned(reference.substr(mark + 1)).value_or(0);
}

/// "hgx matches 8 GPUs: hgx#0 … hgx#7"
std::string matches_of(std::string_view entry, std::size_t count) {
  if (count == 1) return fmt::format("{} matches one GPU", entry);
  return fmt::format("{0} matches {1} GPUs: {0}#0 {2} {0}#{3}", entry, count, count == 2 ? "and" : "…",
                     count - 1);
}

}  // namespace

std::string to_string(const Device& device) {
  return std::visit([](const auto& one) { return one.to_string(); }, device);
}

std::optional<Device> parse_device(std::string_view text) {
  if (const auto address = PciAddress::parse(text)) return Device(*address);
  if (const auto uuid = Uuid::parse(text)) return Device(*uuid);
  return std::nullopt;
}

Json json_of(const std::set<Device>& devices) {
  Json list = Json::array();
  for (const auto& device : devices)
    list.push_back({{std::holds_alternative<PciAddress>(device) ? "gpu" : "vgpu", to_string(device)}});
  return list;
}

std::set<Device> devices_in(const Json& list) {
  std::set<Device> devices;
  if (!list.is_array()) return devices;
  for (const auto& item : list)
    for (const char* key : {"gpu", "vgpu"})
      if (item.is_object() && item.contains(key) && item[key].is_string())
        if (const auto device = parse_device(item[key].get<std::string>())) devices.insert(*device);
  return devices;
}

std::string element_of(const Device& device) {
  if (const auto* address = std::get_if<PciAddress>(&device)) return pci_host_device_element(*address);
  return mdev_host_device_element(std::get<Uuid>(device));
}

const HostDevice* find_device(const DomainXml& xml, const Device& device) {
  const auto found = std::ranges::find(xml.host_devices, device, &HostDevice::device);
  return found == xml.host_devices.end() ? nullptr : &*found;
}

std::vector<HostDevice> devices_of(const std::vector<std::string>& elements) {
  std::vector<HostDevice> devices;
  for (const auto& element : elements)
    if (auto xml = read_domain_xml(fmt::format("<domain><devices>{}</devices></domain>", element)))
      std::ranges::move(xml->host_devices, std::back_inserter(devices));
  return devices;
}

std::vector<std::string> texts_in(const Json& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const auto& item : list)
    if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

DeviceTable::DeviceTable(const Inventory& inventory, const std::vector<NamedDevices>& entries,
                         const Result<Uuid>& space, const Ownership& owned, bool vendor_kernel)
    : inventory_(inventory), space_(space) {
  for (const auto& entry : entries) {
    named_.push_back({&entry, select_gpus(entry.entry, inventory_)});
    if (!space_) continue;
    for (const auto& selected : named_.back().selection.gpus) {
      for (const auto& vgpus : entry.vgpus)
        for (unsigned index = 0; index < vgpus.count; ++index)
          vgpus_.insert(vgpu_uuid(*space_, selected.name, vgpus, index));
      if (uses_vendor_framework(*selected.gpu, vendor_kernel)) place_vgpus(entry, selected, owned);
    }
  }
  for (const auto& address : owned.addresses())
    if (const auto uuid = vgpu_of_object(address)) {
      vgpus_.insert(*uuid);
      if (const auto record = find_vgpu_record(owned, *uuid); record->function && record->parent)
        recorded_.insert(*record->parent);
    }
}

/// As the kind of vGPUs places them.
void DeviceTable::place_vgpus(const NamedDevices& entry, const SelectedGpu& selected,
                              const Ownership& owned) {
  const auto& gpu = *selected.gpu;
  std::vector<Uuid> uuids;
  std::vector<std::optional<VgpuRecord>> records;
  std::vector<FunctionWish> wishes;
  for (const auto& vgpus : entry.vgpus)
    for (unsigned index = 0; index < vgpus.count; ++index) {
      uuids.push_back(vgpu_uuid(*space_, selected.name, vgpus, index));
      records.push_back(find_vgpu_record(owned, uuids.back()));
      const auto said = index < vgpus.vfs.size() ? std::optional(vgpus.vfs[index]) : std::nullopt;
      wishes.push_back(function_wish(gpu, said, records.back()));
    }
  const auto given = share_functions(gpu, wishes);
  for (std::size_t i = 0; i < uuids.size(); ++i) {
    auto& place = functions_[uuids[i]];
    const auto function = std::ranges::find(
        gpu.functions, given[i], [](const VirtualFunction& one) { return std::optional(one.index); });
    if (given[i] && function != gpu.functions.end())
      place = function->address;
    else if (given[i] && given[i] == wishes[i].has)
      place = records[i]->parent;  // where it was when there were functions
    if (gpu.unreadable) place = records[i] ? records[i]->parent : std::nullopt;
    if (place) vgpu_on_.emplace(*place, uuids[i]);
  }
}

Json DeviceTable::shown(const std::set<Device>& devices) const {
  Json list = Json::array();
  for (const auto& device : devices) {
    const auto* address = std::get_if<PciAddress>(&device);
    const auto* gpu = address != nullptr ? inventory_.owner_of(*address) : nullptr;
    const bool is_function =
        address != nullptr && (vgpu_on_.contains(*address) || recorded_.contains(*address) ||
                               (gpu != nullptr && gpu->function_at(*address) != nullptr));
    list.push_back({{address == nullptr || is_function ? "vgpu" : "gpu", to_string(device)}});
  }
  return list;
}

bool DeviceTable::is_nvidias(const Device& device) const {
  if (const auto* address = std::get_if<PciAddress>(&device))
    return inventory_.owner_of(*address) != nullptr || recorded_.contains(*address);
  const auto& uuid = std::get<Uuid>(device);
  return vgpus_.contains(uuid) || inventory_.find(uuid) != nullptr;
}

std::set<Device> DeviceTable::of(const DomainXml& xml) const {
  std::set<Device> devices;
  for (const auto& host_device : xml.host_devices)
    if (is_nvidias(host_device.device)) devices.insert(host_device.device);
  return devices;
}

DeviceTable::Wanted DeviceTable::wanted(const std::vector<VmSpec::Device>& devices) const {
  Wanted wanted;
  for (const auto& device : devices)
    if (device.type == VmSpec::Device::Type::gpu)
      add_gpu(*device.name, wanted);
    else
      add_vgpu(*device.name, wanted);
  return wanted;
}

DeviceTable::Found DeviceTable::find(std::string_view reference) const {
  for (const auto& named : named_)
    for (const auto& selected : named.selection.gpus)
      if (is_named(selected, reference)) return {&selected, named.entry};
  return {};
}

void DeviceTable::add_gpu(const std::string& reference, Wanted& wanted) const {
  const auto found = find(reference);
  if (found.gpu == nullptr) return cannot_tell(reference, wanted);
  wanted.devices.insert(found.gpu->gpu->address);
  if (found.entry->companions_too)
    for (const auto& companion : found.gpu->gpu->companions) wanted.devices.insert(companion.address);
}

void DeviceTable::add_vgpu(const std::string& reference, Wanted& wanted) const {
  const auto parts = parse_vgpu_reference(reference);
  if (!parts) return;  // the decoder has reported it
  const auto found = find(parts->gpu);
  if (found.gpu == nullptr) return cannot_tell(parts->gpu, wanted);
  if (!space_) {
    wanted.problem = space_.error().message;
    return;
  }
  const auto vgpus = std::ranges::find(found.entry->vgpus, parts->vgpu, &NamedVgpus::name);
  if (vgpus == found.entry->vgpus.end()) return;
  const auto uuid = vgpu_uuid(*space_, found.gpu->name, *vgpus, parts->index);
  const auto function = functions_.find(uuid);
  if (function == functions_.end())
    wanted.devices.insert(uuid);
  else if (function->second)
    wanted.devices.insert(*function->second);
  else
    wanted.to_come.emplace(fmt::format("{}/{}/{}", parts->gpu, parts->vgpu, parts->index), uuid);
}

void DeviceTable::cannot_tell(const std::string& gpu, Wanted& wanted) const {
  const auto named = std::ranges::find_if(named_, [&](const Named& one) {
    const auto& name = one.entry->entry.name;
    return name && **name == entry_name(gpu);
  });
  const auto* selector =
      named == named_.end() || !named->entry->entry.selector ? nullptr : &*named->entry->entry.selector;
  const auto there =
      named == named_.end() ? 0 : named->selection.gpus.size() + named->selection.absent.size();
  // One that is away or uncertain is not a mistake of the document.
  const bool is_expected =
      selector == nullptr || there == 0 || !named->selection.problem.empty() ||
      (gpu.contains('#') && number_in(gpu) < std::max<std::size_t>(there, selector->expect.value_or(0)));
  if (!is_expected)
    wanted.mistake = fmt::format("'{}' means no single GPU: {}", gpu, matches_of(entry_name(gpu), there));
  else if (selector != nullptr && selector->missing == GpuSelector::Missing::skip)
    wanted.absent = fmt::format("no GPU is there for '{}'", gpu);
  else
    wanted.problem = fmt::format("no GPU is there for '{}'", gpu);
}

std::optional<Fact> DeviceTable::needed_by(const Device& device, bool managed) const {
  if (!is_nvidias(device)) return std::nullopt;
  if (const auto* uuid = std::get_if<Uuid>(&device)) return gpu_facts::present(*uuid);
  const auto& address = std::get<PciAddress>(device);
  if (const auto vgpu = vgpu_on_.find(address); vgpu != vgpu_on_.end())
    return gpu_facts::present(vgpu->second);
  const auto* gpu = inventory_.owner_of(address);
  if (gpu == nullptr) return std::nullopt;  // a function that is gone, of no vGPU that the document has
  if (gpu->function_at(address) != nullptr) return gpu_facts::functions_enabled(gpu->address);
  // libvirt binds a managed device by itself, and would take it back from whoever else has it by then.
  if (managed && gpu->driver != "vfio-pci") return std::nullopt;
  return gpu_facts::bound(gpu->address, "vfio-pci");
}

}  // namespace gpuhost::vm_binding
