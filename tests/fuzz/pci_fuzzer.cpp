#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/pci_address.hpp"
#include "inventory/pci.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)gpuhost::parse_pci_resources(text);
  (void)gpuhost::has_extended_capability(text, 0x000e);
  if (const auto address = gpuhost::PciAddress::parse(text))
    if (gpuhost::PciAddress::parse(address->to_string()) != address) __builtin_trap();
  return 0;
}
