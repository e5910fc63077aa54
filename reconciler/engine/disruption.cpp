#include "engine/disruption.hpp"

#include <algorithm>
#include <utility>

namespace gpuhost {

std::string_view to_string(Disruption level) {
  return disruption_words[static_cast<std::size_t>(std::to_underlying(level))];
}

std::optional<Disruption> parse_disruption(std::string_view word) {
  const auto found = std::ranges::find(disruption_words, word);
  if (found == disruption_words.end()) return std::nullopt;
  return static_cast<Disruption>(found - disruption_words.begin());
}

}  // namespace gpuhost
