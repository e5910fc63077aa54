#include "base/sha256.hpp"

#include <array>
#include <cstdint>

#include <sha256.h>

namespace gpuhost {

std::string sha256(std::string_view data) {
  std::array<char, SHA256_DIGEST_STRING_LENGTH> digits{};
  ::SHA256Data(reinterpret_cast<const std::uint8_t*>(data.data()), data.size(), digits.data());
  return {digits.data()};
}

}  // namespace gpuhost
