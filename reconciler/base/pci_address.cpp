#include "base/pci_address.hpp"

#include <charconv>

#include <fmt/format.h>

namespace gpuhost {

namespace {

std::optional<std::uint32_t> hex_field(std::string_view text, std::size_t shortest, std::size_t longest) {
  if (text.size() < shortest || text.size() > longest) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<PciAddress> PciAddress::parse(std::string_view text) {
  const auto first = text.find(':');
  const auto second = text.find(':', first + 1);
  const auto dot = text.find('.', second + 1);
  if (first == std::string_view::npos || second == std::string_view::npos || dot == std::string_view::npos)
    return std::nullopt;
  const auto domain = hex_field(text.substr(0, first), 4, 8);
  const auto bus = hex_field(text.substr(first + 1, second - first - 1), 2, 2);
  const auto device = hex_field(text.substr(second + 1, dot - second - 1), 2, 2);
  const auto function = hex_field(text.substr(dot + 1), 1, 1);
  if (!domain || !bus || !device || !function || *device > 31 || *function > 7) return std::nullopt;
  return PciAddress{*domain, static_cast<std::uint8_t>(*bus), static_cast<std::uint8_t>(*device),
                    static_cast<std::uint8_t>(*function)};
}

std::string PciAddress::to_string() const {
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, device, function);
}

}  // namespace gpuhost
