#pragma once

#include <span>
#include <string_view>

namespace gpuhost {

struct EmbeddedSchema {
  std::string_view name;  ///< "plan", from schema/plan.schema.json
  std::string_view text;
};

/// The JSON Schemas of the source tree, put in when gpuhost was built.
[[nodiscard]] std::span<const EmbeddedSchema> embedded_schemas();

}  // namespace gpuhost
