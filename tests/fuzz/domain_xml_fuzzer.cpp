#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "host/domain_xml.hpp"

namespace {

using Devices = std::vector<std::variant<gpuhost::PciAddress, gpuhost::Uuid>>;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

gpuhost::DomainXml changed(std::string_view xml, const Devices& removed, const Devices& unmanaged,
                           const std::vector<std::string>& added) {
  const auto text = gpuhost::with_host_devices(xml, removed, unmanaged, added);
  require(text.has_value());
  const auto read = gpuhost::read_domain_xml(*text);
  require(read.has_value());
  return *read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view xml(reinterpret_cast<const char*>(data), size);
  const auto read = gpuhost::read_domain_xml(xml);
  require(gpuhost::with_host_devices(xml, {}, {}, {}).value_or(std::string(xml)) == xml);
  if (!read) return 0;
  Devices all;
  for (const auto& found : read->host_devices) all.push_back(found.device);
  require(changed(xml, all, {}, {}).host_devices.empty());
  for (const auto& kept : changed(xml, {}, all, {}).host_devices) require(!kept.managed);
  const gpuhost::PciAddress gpu{0, 0x61, 0, 0};
  const auto with_gpu = changed(xml, all, {}, {gpuhost::pci_host_device_element(gpu)});
  require(with_gpu.host_devices.size() == 1 &&
          std::get<gpuhost::PciAddress>(with_gpu.host_devices[0].device) == gpu);
  return 0;
}
