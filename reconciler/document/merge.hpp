#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "document/diagnostics.hpp"
#include "document/node.hpp"

namespace gpuhost {

/// A scalar of which several files may give different values: the one that stands first in `words` holds.
struct LowestWins {
  std::string_view path;  ///< "policy.disruption"
  std::span<const std::string_view> words;
};

struct MergedTree {
  Node root;
  /// "policy.guestStop.timeout: 180s (a.yaml:3:5) → 60s (b.yaml:4:7)"
  std::vector<std::string> overridden;
  /// Of the content: neither the order of keys and entries, nor formatting, nor the cut into files changes
  /// it.
  std::string sha256;
};

/// Merges the trees of several files, in order: maps merge, lists concatenate, entries of one `name` merge,
/// equal scalars agree. Two values for one scalar are reported, unless the later file has
/// `metadata.overrides: true`. Precondition: `trees` is not empty and all roots are mappings.
[[nodiscard]] MergedTree merge_trees(std::vector<Node> trees, std::span<const LowestWins> rules,
                                     Diagnostics& diagnostics);

}  // namespace gpuhost
