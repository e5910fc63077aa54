#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace gpuhost {

/// "180s", "3m" or "1h"; nothing if it is not written so. What is too long for any clock is seconds::max().
[[nodiscard]] std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// "1 h 5 min", "4 min 30 s", "0 s": for people; of hours no seconds.
[[nodiscard]] std::string duration_text(std::chrono::seconds duration);

}  // namespace gpuhost
