#pragma once

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gpuhost::testing {

/// Equal seeds give equal throws.
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_);
  }
  bool one_in(std::size_t many) { return below(many) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  template <class T>
  void shuffle(std::vector<T>& all) {
    std::ranges::shuffle(all, engine_);
  }

 private:
  std::mt19937 engine_;
};

inline unsigned number_in_environment(const char* name, unsigned otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? static_cast<unsigned>(std::atoi(given)) : otherwise;
}

/// A sanitizer makes each run many times as long: there it is a sample.
#ifdef __SANITIZE_ADDRESS__
constexpr unsigned sanitizer_share = 10;
#else
constexpr unsigned sanitizer_share = 1;
#endif

/// Runs `check(dice)` with many seeds, up to the first that fails, which is then in the failure's trace.
/// GPUHOST_SEEDS says how many, in place of `usual`; GPUHOST_SEED runs one alone.
template <class Check>
void for_seeds(unsigned usual, Check check) {
  const unsigned only = number_in_environment("GPUHOST_SEED", 0);
  const unsigned last =
      only != 0 ? only : number_in_environment("GPUHOST_SEEDS", std::max(usual / sanitizer_share, 1U));
  for (unsigned seed = std::max(only, 1U); seed <= last; ++seed) {
    Dice dice(seed);
    SCOPED_TRACE(fmt::format("GPUHOST_SEED={}", seed));
    check(dice);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace gpuhost::testing
