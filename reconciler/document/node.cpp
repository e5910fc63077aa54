#include "document/node.hpp"

#include <algorithm>

#include "document/scalar.hpp"

namespace gpuhost {

const Node* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &found->value;
}

Node text_node(std::string text) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.quoted = !can_be_plain(text) || plain_type(text) != PlainType::text;
  node.text = std::move(text);
  return node;
}

}  // namespace gpuhost
