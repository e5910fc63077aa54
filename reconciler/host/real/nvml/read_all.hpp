#pragma once

#include <algorithm>
#include <vector>

#include "host/real/nvml/declarations.hpp"

namespace gpuhost::nvml {

/// What is read with a buffer that may turn out too small, since it grows while we ask.
template <class T, class Ask>
Return read_all(std::vector<T>& all, Ask ask) {
  constexpr unsigned tries = 4;
  for (unsigned i = 0; i < tries; ++i) {
    auto count = static_cast<unsigned>(all.size());
    const auto answer = ask(&count, all.empty() ? nullptr : all.data());
    if (answer == success) all.resize(std::min<std::size_t>(all.size(), count));
    if (answer != insufficient_size) return answer;
    all.resize(count + 4);
  }
  return insufficient_size;
}

}  // namespace gpuhost::nvml
