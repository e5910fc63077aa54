#include "kinds/virtualization/decode.hpp"

#include <array>

namespace gpuhost {

VirtualizationSpec decode_virtualization(MapReader& document) {
  constexpr std::array<Word<bool>, 2> words{{{"required", true}, {"ignored", false}}};
  return {.required = document.at("virtualization").word<bool>(words).value_or(false)};
}

}  // namespace gpuhost
