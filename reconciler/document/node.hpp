#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gpuhost {

/// A place in a source: index of the source in its Diagnostics, line and column from 1.
struct Mark {
  std::uint32_t source = 0;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  auto operator<=>(const Mark&) const = default;
};

/// A YAML value that remembers where it stands. Scalars keep the text of the source: nothing is turned into a
/// number or a truth value before somebody asks for one, so that a version "19.50" stays what was written.
struct Node {
  enum class Kind { null, scalar, sequence, mapping };
  struct Entry;

  Kind kind = Kind::null;
  Mark mark;
  std::string text;            ///< of a scalar
  bool quoted = false;         ///< a scalar in quotes or a block, never a number, truth value or null
  std::vector<Node> items;     ///< of a sequence
  std::vector<Entry> entries;  ///< of a mapping, in source order, keys unique

  [[nodiscard]] const Node* find(std::string_view key) const;
};

struct Node::Entry {
  std::string key;
  Mark key_mark;
  Node value;
};

/// For writing: a scalar that is quoted where plain text would be read as something else.
[[nodiscard]] Node text_node(std::string text);
/// For writing: a scalar as it is, such as `true`.
[[nodiscard]] Node plain_node(std::string text);
[[nodiscard]] Node mapping_node();
[[nodiscard]] Node sequence_node();
/// Puts an entry at the end of a mapping; the value, in its place.
Node& add_entry(Node& mapping, std::string key, Node value);

}  // namespace gpuhost
