#include "inventory/pci.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr const char* devices_directory = "/sys/bus/pci/devices";
constexpr std::uint16_t ari_capability = 0x000e;
/// Lines of `resource` that are BARs of virtual functions. Source: include/linux/pci.h PCI_IOV_RESOURCES.
constexpr std::size_t first_vf_bar = 7;
constexpr std::size_t vf_bar_count = 6;

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

bool SriovSupport::lacks_address_space() const {
  return function_bars && std::ranges::any_of(*function_bars, &PciResource::unassigned);
}

SriovSupport read_sriov_support(const FileReader& files, const Gpu& gpu) {
  const auto directory = fmt::format("{}/{}", devices_directory, gpu.address.to_string());
  SriovSupport support{.address = gpu.address, .total_functions = gpu.total_functions};
  support.ari = read_ari(files, directory + "/config");
  if (!gpu.total_functions.is_absent()) support.function_bars = read_vf_bars(files, directory + "/resource");
  return support;
}

}  // namespace gpuhost
