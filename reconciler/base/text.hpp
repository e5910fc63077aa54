#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gpuhost {

[[nodiscard]] std::string_view trim(std::string_view text);
/// Of ASCII letters; no locale has a say.
[[nodiscard]] std::string lower_case(std::string_view text);
/// Splits at every `separator`; keeps empty parts.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
/// The parts between runs of blanks, tabs and line ends.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);
/// Lines without their ends; a last line without newline counts, an empty tail does not.
[[nodiscard]] std::vector<std::string_view> lines(std::string_view text);
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
/// Decimal, or hexadecimal with 0x; the whole text must be the number.
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text);
/// The candidate nearest to `word` by edit distance, if near enough to be a likely typing error.
[[nodiscard]] std::optional<std::string> suggest(std::string_view word,
                                                 std::span<const std::string> candidates);
/// Control characters and invalid UTF-8 as \xNN, so that text from hosts and guests cannot steer a terminal.
[[nodiscard]] std::string escape_for_terminal(std::string_view text);
/// Shell-style glob, as fnmatch(3) without flags.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text);
/// `-` and `_` in kernel module and parameter names are the same: both become `_`.
/// Source: kernel/params.c dash2underscore(), modprobe(8).
[[nodiscard]] std::string underscored(std::string_view name);

}  // namespace gpuhost
