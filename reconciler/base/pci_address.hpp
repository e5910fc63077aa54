#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpuhost {

/// Domain, bus, device and function of a PCI function, as in /sys/bus/pci/devices.
struct PciAddress {
  std::uint32_t domain = 0;
  std::uint8_t bus = 0;
  std::uint8_t device = 0;    ///< 0 to 31
  std::uint8_t function = 0;  ///< 0 to 7

  /// "0000:41:00.0"; the domain has four to eight digits, letters in either case.
  [[nodiscard]] static std::optional<PciAddress> parse(std::string_view text);
  /// The form of sysfs: lower case, domain of at least four digits.
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const PciAddress&) const = default;
};

}  // namespace gpuhost
