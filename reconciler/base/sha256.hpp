#pragma once

#include <string>
#include <string_view>

namespace gpuhost {

/// SHA-256 of `data` (FIPS 180-4) as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256(std::string_view data);

}  // namespace gpuhost
