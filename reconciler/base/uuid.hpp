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
  /// 32 hexadecimal digits without dashes, as in /etc/machine-id.
  [[nodiscard]] static std::optional<Uuid> from_machine_id(std::string_view text);
  /// Version 5: the same for the same space and name, on every machine. Source: RFC 9562, section 5.5.
  [[nodiscard]] static Uuid from_name(const Uuid& space, std::string_view name);
  /// Lower case.
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const Uuid&) const = default;
};

}  // namespace gpuhost
