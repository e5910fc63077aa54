#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "document/diagnostics.hpp"
#include "document/node.hpp"

namespace gpuhost {

struct YamlLimits {
  std::size_t bytes = std::size_t{1} << 20U;
  std::size_t depth = 32;
  std::size_t nodes = 200'000;  ///< after aliases are expanded
};

/// Parses one YAML document. Problems (syntax, duplicate keys, limits, tags, several documents in one file)
/// go to `diagnostics`; nothing is returned then.
[[nodiscard]] std::optional<Node> parse_yaml(std::uint32_t source, Diagnostics& diagnostics,
                                             const YamlLimits& limits = {});

/// Writes a node so that parse_yaml reads the same back: block style, multi-line text as literal blocks.
[[nodiscard]] std::string emit_yaml(const Node& node);

}  // namespace gpuhost
