#include "inventory/pci.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr const char* devices_directory = "/sys/bus/pci/devices";
constexpr std::uint64_t nvidia_vendor = 0x10de;
constexpr std::uint64_t display_class = 0x03;
constexpr std::uint16_t ari_capability = 0x000e;
/// Lines of `resource` that are BARs of virtual functions. Source: include/linux/pci.h PCI_IOV_RESOURCES.
constexpr std::size_t first_vf_bar = 7;
constexpr std::size_t vf_bar_count = 6;

Result<std::uint64_t> read_number(const FileReader& files, const std::string& path) {
  const auto text = files.read(path);
  if (!text) return std::unexpected(text.error());
  const auto number = parse_unsigned(trim(*text));
  if (!number) return fail(ErrorKind::invalid, fmt::format("{} is no number", path));
  return *number;
}

std::string last_part(const Result<std::string>& link) {
  return link ? link->substr(link->rfind('/') + 1) : std::string{};
}

Observed<bool> read_ari(const FileReader& files, const std::string& path) {
  const auto config = files.read(path);
  if (!config) return Observed<bool>::unknown(config.error().message);
  const auto found = has_extended_capability(*config, ari_capability);
  if (!found) return Observed<bool>::unknown("only root can read the capabilities in " + path);
  return *found;
}

Observed<std::vector<PciResource>> read_vf_bars(const FileReader& files, const std::string& path) {
  const auto text = files.read(path);
  if (!text) return Observed<std::vector<PciResource>>::unknown(text.error().message);
  const auto all = parse_pci_resources(*text);
  std::vector<PciResource> bars;
  for (std::size_t i = first_vf_bar; i < std::min(all.size(), first_vf_bar + vf_bar_count); ++i)
    if (all[i].flags != 0) bars.push_back(all[i]);
  return bars;
}

GpuFunction read_gpu(const FileReader& files, const PciAddress& address, const std::string& directory) {
  GpuFunction gpu{.address = address};
  gpu.device_id = static_cast<std::uint16_t>(read_number(files, directory + "/device").value_or(0));
  gpu.class_code = static_cast<std::uint32_t>(read_number(files, directory + "/class").value_or(0));
  gpu.driver = last_part(files.link_target(directory + "/driver"));
  if (const auto group = parse_unsigned(last_part(files.link_target(directory + "/iommu_group"))))
    gpu.iommu_group = static_cast<unsigned>(*group);
  const auto total = read_number(files, directory + "/sriov_totalvfs");
  if (total)
    gpu.total_vfs = static_cast<unsigned>(*total);
  else if (total.error().kind != ErrorKind::not_found)
    gpu.total_vfs = Observed<unsigned>::unknown(total.error().message);
  gpu.ari = read_ari(files, directory + "/config");
  if (!gpu.total_vfs.is_absent()) gpu.vf_bars = read_vf_bars(files, directory + "/resource");
  return gpu;
}

std::uint32_t word_at(std::string_view config, std::size_t offset) {
  std::uint32_t word = 0;
  for (std::size_t i = 4; i-- > 0;) word = word << 8 | static_cast<unsigned char>(config[offset + i]);
  return word;
}

}  // namespace

std::vector<PciResource> parse_pci_resources(std::string_view text) {
  std::vector<PciResource> found;
  for (const auto line : lines(text)) {
    const auto fields = words(line);
    if (fields.size() != 3) break;
    const auto start = parse_unsigned(fields[0]);
    const auto end = parse_unsigned(fields[1]);
    const auto flags = parse_unsigned(fields[2]);
    if (!start || !end || !flags) break;
    found.push_back({*start, *end, *flags});
  }
  return found;
}

std::optional<bool> has_extended_capability(std::string_view config, std::uint16_t id) {
  constexpr std::size_t unprivileged = 64;
  constexpr std::size_t extended_begin = 0x100;
  if (config.size() <= unprivileged) return std::nullopt;
  // A list longer than the space has room for goes round in a circle.
  std::size_t left = config.size() / 4;
  for (std::size_t at = extended_begin; at >= extended_begin && at + 4 <= config.size() && left > 0; --left) {
    const auto header = word_at(config, at);
    if (header == 0 || header == 0xffffffff) break;
    if ((header & 0xffff) == id) return true;
    at = header >> 20 & ~std::size_t{3};  // the two lowest bits are reserved
  }
  return false;
}

Result<std::vector<GpuFunction>> read_gpus(const FileReader& files) {
  const auto names = files.list(devices_directory);
  if (!names) return std::unexpected(names.error());
  std::vector<GpuFunction> gpus;
  for (const auto& name : *names) {
    const auto address = PciAddress::parse(name);
    const auto directory = std::string(devices_directory) + "/" + name;
    if (!address || read_number(files, directory + "/vendor").value_or(0) != nvidia_vendor) continue;
    if (read_number(files, directory + "/class").value_or(0) >> 16 != display_class) continue;
    if (files.link_target(directory + "/physfn")) continue;  // a virtual function
    gpus.push_back(read_gpu(files, *address, directory));
  }
  std::ranges::sort(gpus, {}, &GpuFunction::address);
  return gpus;
}

}  // namespace gpuhost
