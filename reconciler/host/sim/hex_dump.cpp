#include "host/sim/hex_dump.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::size_t line_length = 16;

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  return parse_unsigned("0x" + std::string(digits));
}

}  // namespace

std::string write_hex_dump(std::string_view bytes) {
  std::string dump;
  for (std::size_t offset = 0; offset < bytes.size(); offset += line_length) {
    const auto line = bytes.substr(offset, line_length);
    if (std::ranges::all_of(line, [](char c) { return c == '\0'; })) continue;
    dump += fmt::format("{:02x}:", offset);
    for (const char c : line) dump += fmt::format(" {:02x}", static_cast<unsigned char>(c));
    dump += '\n';
  }
  return dump;
}

std::optional<std::string> read_hex_dump(std::string_view dump, std::size_t size) {
  std::string bytes(size, '\0');
  for (const auto line : lines(dump)) {
    const auto colon = line.find(':');
    const auto offset = colon == std::string_view::npos ? 0 : parse_hex(trim(line.substr(0, colon)));
    if (!offset) return std::nullopt;
    std::size_t at = *offset;
    for (const auto word : words(colon == std::string_view::npos ? line : line.substr(colon + 1))) {
      const auto byte = word.size() == 2 ? parse_hex(word) : std::nullopt;
      if (!byte || at >= size) return std::nullopt;
      bytes[at++] = static_cast<char>(*byte);
    }
  }
  return bytes;
}

}  // namespace gpuhost
