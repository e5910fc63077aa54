#include "base/duration.hpp"

#include <cstdint>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  const auto digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos || digits + 1 != text.size()) return std::nullopt;
  const auto number = parse_unsigned(text.substr(0, digits));
  const char unit = text.back();
  if (!number || (unit != 's' && unit != 'm' && unit != 'h')) return std::nullopt;
  const std::uint64_t factor = unit == 's' ? 1 : unit == 'm' ? 60 : 3600;
  constexpr auto most = std::chrono::seconds::max();
  if (*number > static_cast<std::uint64_t>(most.count()) / factor) return most;
  return std::chrono::seconds(*number * factor);
}

std::string duration_text(std::chrono::seconds duration) {
  const auto seconds = duration.count() % 60;
  const auto minutes = duration.count() / 60 % 60;
  const auto hours = duration.count() / 3600;
  const auto with_rest = [](auto whole, const char* unit, auto rest, const char* rest_unit) {
    return rest == 0 ? fmt::format("{} {}", whole, unit)
                     : fmt::format("{} {} {} {}", whole, unit, rest, rest_unit);
  };
  if (hours > 0) return with_rest(hours, "h", minutes, "min");
  if (minutes > 0) return with_rest(minutes, "min", seconds, "s");
  return fmt::format("{} s", seconds);
}

}  // namespace gpuhost
