#include "host/sim/kernel_words.hpp"

#include <utility>

#include "base/text.hpp"

namespace gpuhost {

std::vector<std::string> split_kernel_words(std::string_view line) {
  std::vector<std::string> found;
  std::string word;
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    const bool separates = !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
    if (!separates) {
      word += c;
    } else if (!word.empty()) {
      found.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) found.push_back(std::move(word));
  return found;
}

KernelWord parse_kernel_word(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return {std::string(word), std::nullopt};
  return {std::string(word.substr(0, equals)), std::string(word.substr(equals + 1))};
}

std::vector<std::string> kernel_values(std::string_view line, std::string_view key) {
  std::vector<std::string> values;
  for (const auto& word : split_kernel_words(line)) {
    auto parsed = parse_kernel_word(word);
    if (underscored(parsed.key) == underscored(key)) values.push_back(parsed.value.value_or(""));
  }
  return values;
}

}  // namespace gpuhost
