#pragma once

#include <string>

#include "base/json.hpp"

namespace gpuhost {

/// Indented, with a newline at the end. Pure ASCII, so that text from hosts can neither break the encoding
/// nor steer a terminal; bytes that are no UTF-8 become the replacement character.
[[nodiscard]] std::string json_text(const Json& value);

/// The same in one line without newline: for JSON Lines, and for hashing.
[[nodiscard]] std::string json_line(const Json& value);

}  // namespace gpuhost
