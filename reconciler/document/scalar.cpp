#include "document/scalar.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view digits = "0123456789";

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

template <std::size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, text) != words.end();
}

/// Takes the digits off the front; how many there were.
std::size_t skip_digits(std::string_view& text) {
  const auto count = std::min(text.find_first_not_of(digits), text.size());
  text.remove_prefix(count);
  return count;
}

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_real(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (one_of(text, std::array<std::string_view, 3>{".inf", ".Inf", ".INF"})) return true;
  std::size_t mantissa = skip_digits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    mantissa += skip_digits(text);
  }
  if (mantissa == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (skip_digits(text) == 0) return false;
  }
  return text.empty();
}

bool is_integer(std::string_view text) {
  if (text.starts_with("0o")) return all_of(text.substr(2), "01234567");
  if (text.starts_with("0x")) return all_of(text.substr(2), "0123456789abcdefABCDEF");
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return all_of(text, digits);
}

/// [-+]? [0-9]+ ( : [0-5]? [0-9] )+ ( \. [0-9]* )?
bool is_sexagesimal(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (skip_digits(text) == 0 || !text.starts_with(':')) return false;
  while (text.starts_with(':')) {
    text.remove_prefix(1);
    if (const auto count = skip_digits(text); count == 0 || count > 2) return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    skip_digits(text);
  }
  return text.empty();
}

}  // namespace

bool is_text_in_yaml_1_1(std::string_view text) {
  constexpr std::array<std::string_view, 8> truth_values{"y", "n", "yes", "no", "on", "off", "true", "false"};
  return !one_of(lower_case(text), truth_values) && !is_sexagesimal(text);
}

PlainType plain_type(std::string_view text) {
  if (one_of(text, std::array<std::string_view, 5>{"", "~", "null", "Null", "NULL"})) return PlainType::null;
  if (one_of(text, std::array<std::string_view, 6>{"true", "True", "TRUE", "false", "False", "FALSE"}))
    return PlainType::boolean;
  if (is_integer(text)) return PlainType::integer;
  if (is_real(text) || one_of(text, std::array<std::string_view, 3>{".nan", ".NaN", ".NAN"}))
    return PlainType::real;
  return PlainType::text;
}

bool can_be_plain(std::string_view text) {
  constexpr std::string_view indicators = "-?:,[]{}#&*!|>'\"%@`";
  if (text.empty() || text.starts_with(' ') || text.ends_with(' ') || text.ends_with(':')) return false;
  if (text.starts_with("---") || text.starts_with("...") || text.starts_with("\xef\xbb\xbf")) return false;
  const bool number_like = text.front() == '-' && text.size() > 1 && text[1] != ' ';
  if (!number_like && indicators.find(text.front()) != std::string_view::npos) return false;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) return false;
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

}  // namespace gpuhost
