#include "engine/scope.hpp"

#include <algorithm>
#include <utility>

namespace gpuhost {

std::string_view to_string(Scope scope) {
  return scope_words[static_cast<std::size_t>(std::to_underlying(scope))];
}

std::optional<Scope> parse_scope(std::string_view word) {
  const auto found = std::ranges::find(scope_words, word);
  if (found == scope_words.end()) return std::nullopt;
  return static_cast<Scope>(found - scope_words.begin());
}

bool contains(Scope scope, Stage stage) {
  switch (scope) {
    case Scope::all:
      return true;
    case Scope::runtime:
      return stage != Stage::configuration;
    case Scope::devices:
      return stage == Stage::devices;
  }
  std::unreachable();
}

}  // namespace gpuhost
