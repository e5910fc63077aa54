#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

/// The kernel's isspace(): ASCII white space, and the no-break space of Latin-1 (lib/ctype.c).
bool kernel_space(char character) {
  return character == ' ' || (character >= '\t' && character <= '\r') || character == '\xa0';
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && kernel_space(text[at])) ++at;
  return at;
}

std::size_t word_end(std::string_view text, std::size_t begin) {
  bool quoted = false;
  std::size_t at = begin;
  for (; at < text.size() && (quoted || !kernel_space(text[at])); ++at)
    if (text[at] == '"') quoted = !quoted;
  return at;
}

KernelArgument parse_word(std::string_view word) {
  const bool quoted = word.starts_with('"');
  if (quoted) word.remove_prefix(1);
  const auto equals = word.find('=');
  const bool has_value = equals != std::string_view::npos && equals > 0;
  bool closed = quoted;
  if (has_value && word.substr(equals + 1).starts_with('"')) closed = true;
  if (closed && word.ends_with('"')) word.remove_suffix(1);
  if (!has_value) return {std::string(word), std::nullopt};
  auto value = word.substr(equals + 1);
  if (value.starts_with('"')) value.remove_prefix(1);
  return {std::string(word.substr(0, equals)), std::string(value)};
}

}  // namespace

std::vector<KernelArgument> parse_kernel_arguments(std::string_view text) {
  std::vector<KernelArgument> found;
  for (std::size_t at = skip_spaces(text, 0); at < text.size();) {
    const std::size_t end = word_end(text, at);
    auto argument = parse_word(text.substr(at, end - at));
    if (!argument.value && argument.key == "--") break;
    argument.begin = at;
    argument.end = end;
    found.push_back(std::move(argument));
    at = skip_spaces(text, end);
  }
  return found;
}

std::string kernel_word(std::string_view key, const std::optional<std::string>& value) {
  std::string word(key);
  if (!value) return word;
  const bool blanks = word_end(*value, 0) != value->size();
  return word + '=' + (blanks ? '"' + *value + '"' : *value);
}

}  // namespace gpuhost
