#include "host/sim/sim_device_tree.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr unsigned write_only = 0200;

/// What a virtual function has in common with its physical one.
constexpr const char* shared_files[] = {"vendor",           "device",   "class",     "subsystem_vendor",
                                        "subsystem_device", "revision", "numa_node", "local_cpulist"};

std::string group_directory(unsigned group) {
  return fmt::format("{}/{}", sim_iommu_groups, group);
}

std::string driver_directory(const std::string& driver) {
  return fmt::format("{}/{}", sim_pci_drivers, driver);
}

}  // namespace

PciAddress following(const PciAddress& first, unsigned steps) {
  const unsigned id =
      (static_cast<unsigned>(first.bus) << 8U | static_cast<unsigned>(first.device) << 3U | first.function) +
      steps;
  return {first.domain, static_cast<std::uint8_t>(id >> 8U), static_cast<std::uint8_t>(id >> 3U & 31U),
          static_cast<std::uint8_t>(id & 7U)};
}

std::string vfio_node(unsigned group) {
  return fmt::format("/dev/vfio/{}", group);
}

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string sysfs_link(const std::string& directory, const std::string& target) {
  constexpr std::string_view root = "/sys/";
  std::string link;
  for (auto depth = std::ranges::count(directory, '/'); depth > 1; --depth) link += "../";
  return link + target.substr(root.size());
}

std::vector<PciAddress> SimDeviceTree::devices() const {
  std::vector<PciAddress> found;
  for (const auto& name : files_.names(sim_pci_devices)) {
    if (const auto address = PciAddress::parse(name)) found.push_back(*address);
  }
  return found;
}

std::optional<std::string> SimDeviceTree::directory_of(const PciAddress& device) const {
  const std::string path = fmt::format("{}/{}", sim_pci_devices, device.to_string());
  const auto real = files_.resolve(path);
  if (!real || !files_.list(*real)) return std::nullopt;
  return *real;
}

std::optional<PciAddress> SimDeviceTree::device_at(const std::string& directory) const {
  const auto address = PciAddress::parse(last_part(directory));
  return address && directory_of(*address) == directory ? address : std::nullopt;
}

std::optional<std::uint64_t> SimDeviceTree::number(const PciAddress& device, std::string_view file) const {
  const auto directory = directory_of(device);
  const auto text = directory ? files_.text(fmt::format("{}/{}", *directory, file)) : std::nullopt;
  return text ? parse_unsigned(trim(*text)) : std::nullopt;
}

std::string SimDeviceTree::driver_of(const PciAddress& device) const {
  const auto directory = directory_of(device);
  const auto link = files_.link_target(directory.value_or("") + "/driver");
  return directory && link ? last_part(*link) : std::string();
}

bool SimDeviceTree::has_driver(const std::string& driver) const {
  return files_.list(driver_directory(driver)).has_value();
}

void SimDeviceTree::add_driver(const std::string& driver) {
  for (const char* attribute : {"bind", "unbind", "new_id", "remove_id"}) {
    files_.put(driver_directory(driver) + "/" + attribute, HostFile::Text{"", write_only});
  }
}

void SimDeviceTree::remove_driver(const std::string& driver) {
  files_.erase_tree(driver_directory(driver));
}

void SimDeviceTree::bind(const PciAddress& device, const std::string& driver) {
  const auto directory = directory_of(device);
  if (!directory) return;
  const std::string name = device.to_string();
  files_.put(*directory + "/driver", HostFile::Link{sysfs_link(*directory, driver_directory(driver))});
  files_.put(driver_directory(driver) + "/" + name,
             HostFile::Link{sysfs_link(driver_directory(driver), *directory)});
}

void SimDeviceTree::unbind(const PciAddress& device) {
  const auto directory = directory_of(device);
  const std::string driver = driver_of(device);
  if (!directory || driver.empty()) return;
  files_.erase_tree(*directory + "/driver");
  files_.erase_tree(driver_directory(driver) + "/" + device.to_string());
}

std::string SimDeviceTree::driver_override(const PciAddress& device) const {
  const auto directory = directory_of(device);
  const std::string text = files_.text(directory.value_or("") + "/driver_override").value_or("");
  return directory && trim(text) != "(null)" ? std::string(trim(text)) : std::string();
}

void SimDeviceTree::set_driver_override(const PciAddress& device, const std::string& driver) {
  if (const auto directory = directory_of(device)) {
    files_.put_text(*directory + "/driver_override", (driver.empty() ? "(null)" : driver) + "\n");
  }
}

std::optional<PciAddress> SimDeviceTree::physical_function_of(const PciAddress& device) const {
  const auto directory = directory_of(device);
  const auto link = files_.link_target(directory.value_or("") + "/physfn");
  return directory && link ? PciAddress::parse(last_part(*link)) : std::nullopt;
}

std::vector<PciAddress> SimDeviceTree::virtual_functions_of(const PciAddress& device) const {
  constexpr std::string_view prefix = "virtfn";
  const auto directory = directory_of(device);
  std::vector<std::pair<std::uint64_t, PciAddress>> found;
  for (const auto& name : directory ? files_.names(*directory) : std::vector<std::string>{}) {
    if (!name.starts_with(prefix)) continue;
    const auto index = parse_unsigned(name.substr(prefix.size()));
    const auto link = files_.link_target(*directory + "/" + name);
    const auto address = link ? PciAddress::parse(last_part(*link)) : std::nullopt;
    if (index && address) found.emplace_back(*index, *address);
  }
  std::ranges::sort(found);
  std::vector<PciAddress> functions;
  for (const auto& [index, address] : found) functions.push_back(address);
  return functions;
}

void SimDeviceTree::add_virtual_function(const PciAddress& physical, unsigned index,
                                         const PciAddress& address) {
  const auto beside = directory_of(physical);
  if (!beside) return;
  const std::string name = address.to_string();
  const std::string directory = beside->substr(0, beside->rfind('/') + 1) + name;
  for (const char* file : shared_files) {
    if (const auto text = files_.text(fmt::format("{}/{}", *beside, file))) {
      files_.put_text(fmt::format("{}/{}", directory, file), *text);
    }
  }
  const std::string listed = fmt::format("{}/{}", sim_pci_devices, name);
  if (listed != directory) {
    files_.put(listed, HostFile::Link{sysfs_link(sim_pci_devices, directory)});
  }
  files_.put_text(directory + "/driver_override", "(null)\n");
  files_.put(directory + "/physfn", HostFile::Link{"../" + physical.to_string()});
  files_.put(fmt::format("{}/virtfn{}", *beside, index), HostFile::Link{"../" + name});
  if (!iommu_is_on()) return;
  const auto group = group_of(*beside);
  const auto type = group ? files_.text(group_directory(*group) + "/type") : std::nullopt;
  add_group(directory, type.value_or("DMA\n"));
}

void SimDeviceTree::remove_device(const PciAddress& device) {
  const auto directory = directory_of(device);
  if (!directory) return;
  unbind(device);
  hide_vfio_node(*directory);
  leave_group(*directory);
  if (const auto physical = physical_function_of(device)) {
    const auto owner = directory_of(*physical).value_or("");
    for (const auto& name : files_.names(owner)) {
      const auto link = files_.link_target(owner + "/" + name);
      if (name.starts_with("virtfn") && link && last_part(*link) == device.to_string()) {
        files_.erase_tree(owner + "/" + name);
      }
    }
  }
  files_.erase_tree(*directory);
  files_.erase_tree(fmt::format("{}/{}", sim_pci_devices, device.to_string()));
}

bool SimDeviceTree::iommu_is_on() const {
  return !files_.names("/sys/class/iommu").empty();
}

std::optional<unsigned> SimDeviceTree::group_of(const std::string& directory) const {
  const auto link = files_.link_target(directory + "/iommu_group");
  const auto number = link ? parse_unsigned(last_part(*link)) : std::nullopt;
  return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

void SimDeviceTree::add_group(const std::string& directory, std::string_view type) {
  const auto taken = files_.names(sim_iommu_groups);
  unsigned number = 0;  // the lowest free one, as ida_alloc() in drivers/iommu/iommu.c gives
  while (std::ranges::find(taken, fmt::format("{}", number)) != taken.end()) ++number;
  const std::string group = group_directory(number);
  files_.put_text(group + "/type", std::string(type));
  files_.put(group + "/devices/" + last_part(directory),
             HostFile::Link{sysfs_link(group + "/devices", directory)});
  files_.put(directory + "/iommu_group", HostFile::Link{sysfs_link(directory, group)});
}

void SimDeviceTree::leave_group(const std::string& directory) {
  const auto number = group_of(directory);
  if (!number) return;
  const std::string group = group_directory(*number);
  files_.erase_tree(directory + "/iommu_group");
  files_.erase_tree(group + "/devices/" + last_part(directory));
  if (files_.names(group + "/devices").empty()) files_.erase_tree(group);
}

void SimDeviceTree::show_vfio_node(const std::string& directory) {
  if (const auto group = group_of(directory)) files_.put(vfio_node(*group), HostFile::Device{});
}

void SimDeviceTree::hide_vfio_node(const std::string& directory) {
  const auto group = group_of(directory);
  if (!group) return;
  for (const auto& name : files_.names(group_directory(*group) + "/devices")) {
    const auto device = PciAddress::parse(name);
    if (device && driver_of(*device) == vfio_pci_driver) return;
  }
  files_.erase_tree(vfio_node(*group));
}

}  // namespace gpuhost
