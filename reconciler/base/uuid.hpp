#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpuhost {

/// RFC 9562 UUID.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  /// 8-4-4-4-12 hexadecimal digits, letters in either case.
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
  /// Lower case.
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const Uuid&) const = default;
};

}  // namespace gpuhost
