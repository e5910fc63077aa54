#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gpuhost {

/// SHA-256 of `data` (FIPS 180-4) as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256(std::string_view data);

/// The same of data that comes piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view piece);
  /// Of all pieces so far. Nothing can be added after it.
  [[nodiscard]] std::string digest() &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gpuhost
