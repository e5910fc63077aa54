#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gpuhost {

/// Bytes as `lspci -x` prints them: "OFFSET: xx xx …", 16 a line, without the lines that are all zero.
[[nodiscard]] std::string write_hex_dump(std::string_view bytes);

/// `size` bytes from such lines; what no line gives is zero. Without offset a line stands at 0. Nothing if it
/// is not hexadecimal or does not fit into `size`.
[[nodiscard]] std::optional<std::string> read_hex_dump(std::string_view dump, std::size_t size);

}  // namespace gpuhost
