#include "base/sha256.hpp"

#include <array>
#include <cstdint>

#include <sha256.h>

namespace gpuhost {

struct Sha256::State {
  SHA2_CTX context{};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  ::SHA256Init(&state_->context);
}

Sha256::~Sha256() = default;

void Sha256::add(std::string_view piece) {
  ::SHA256Update(&state_->context, reinterpret_cast<const std::uint8_t*>(piece.data()), piece.size());
}

std::string Sha256::digest() && {
  std::array<char, SHA256_DIGEST_STRING_LENGTH> digits{};
  ::SHA256End(&state_->context, digits.data());
  return {digits.data()};
}

std::string sha256(std::string_view data) {
  Sha256 sum;
  sum.add(data);
  return std::move(sum).digest();
}

}  // namespace gpuhost
