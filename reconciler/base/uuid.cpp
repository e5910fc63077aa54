#include "base/uuid.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <sha1.h>

namespace gpuhost {

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid;
  std::size_t at = 0;
  for (auto& byte : uuid.bytes) {
    if (at == 8 || at == 13 || at == 18 || at == 23) {
      if (text[at] != '-') return std::nullopt;
      ++at;
    }
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
    if (error != std::errc{} || end != text.data() + at + 2) return std::nullopt;
    at += 2;
  }
  return uuid;
}

std::optional<Uuid> Uuid::from_machine_id(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  std::string dashed(text);
  for (const auto at : {20, 16, 12, 8}) dashed.insert(static_cast<std::size_t>(at), 1, '-');
  return parse(dashed);
}

Uuid Uuid::from_name(const Uuid& space, std::string_view name) {
  std::array<std::uint8_t, SHA1_DIGEST_LENGTH> digest{};
  SHA1_CTX context;
  ::SHA1Init(&context);
  ::SHA1Update(&context, space.bytes.data(), space.bytes.size());
  ::SHA1Update(&context, reinterpret_cast<const std::uint8_t*>(name.data()), name.size());
  ::SHA1Final(digest.data(), &context);
  Uuid uuid;
  std::copy_n(digest.begin(), uuid.bytes.size(), uuid.bytes.begin());
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x50);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

std::string Uuid::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

}  // namespace gpuhost
