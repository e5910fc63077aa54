#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kind.hpp"

namespace gpuhost {

struct UnitSpec {
  std::string name;
  std::optional<bool> enabled;
  std::optional<bool> active;
};

/// Facts: subject "unit/<name>", states "active", "inactive", "there". Offers to stop a unit and start it
/// again.
[[nodiscard]] std::unique_ptr<Kind> make_units(std::vector<UnitSpec> spec);

}  // namespace gpuhost
