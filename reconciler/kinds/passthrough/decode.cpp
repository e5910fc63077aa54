#include "kinds/passthrough/decode.hpp"

#include <array>

namespace gpuhost {

std::optional<Located<PassthroughSpec>> decode_passthrough(MapReader& gpu) {
  using Companions = PassthroughSpec::Companions;
  constexpr std::array<Word<Companions>, 2> words{
      {{"bind", Companions::bind}, {"attach", Companions::attach}}};
  const Value value = gpu.at("companions");
  const auto companions = value.word<Companions>(words);
  return companions ? std::optional(Located{PassthroughSpec{*companions}, value.mark()}) : std::nullopt;
}

}  // namespace gpuhost
