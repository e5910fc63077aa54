#pragma once

#include <string>
#include <vector>

#include "engine/plan.hpp"

namespace gpuhost::testing {

/// In plan order.
inline std::vector<std::string> titles(const Plan& plan) {
  std::vector<std::string> found;
  for (const auto& planned : plan.steps) found.push_back(planned.step.title);
  return found;
}

}  // namespace gpuhost::testing
