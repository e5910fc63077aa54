#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "engine/plan.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// What each kind saw, by its name, in registry order.
using Described = std::vector<std::pair<std::string_view, Json>>;

[[nodiscard]] Json observation_json(const HostIdentity& host, const Described& described);
/// An indented tree; what is unknown stands there with its reason.
[[nodiscard]] std::string observation_text(const HostIdentity& host, const Described& described,
                                           const Style& style);

}  // namespace gpuhost
