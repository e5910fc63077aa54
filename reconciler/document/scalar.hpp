#pragma once

#include <string_view>

namespace gpuhost {

/// What YAML 1.2 (core schema, section 10.3.2) takes a scalar without quotes for. Words that only YAML 1.1
/// reads as truth values (on, off, yes, no) are text.
enum class PlainType { text, null, boolean, integer, real };

[[nodiscard]] PlainType plain_type(std::string_view text);

/// Whether YAML 1.1 takes a text of ours for text too. It has more truth values, such as on, and numbers of
/// base 60, such as 0000:41:00.0. Source: https://yaml.org/type/bool.html, float.html and int.html.
[[nodiscard]] bool is_text_in_yaml_1_1(std::string_view text);

/// Whether YAML reads the text back unchanged when it stands in a block without quotes.
[[nodiscard]] bool can_be_plain(std::string_view text);

}  // namespace gpuhost
