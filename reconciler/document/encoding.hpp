#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace gpuhost {

/// Where text stops being UTF-8 (RFC 3629), or has a NUL; nothing if it is well formed.
[[nodiscard]] std::optional<std::size_t> first_bad_byte(std::string_view text);

}  // namespace gpuhost
