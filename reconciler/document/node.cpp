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

Node plain_node(std::string text) {
  return {.kind = Node::Kind::scalar, .text = std::move(text)};
}

Node mapping_node() {
  return {.kind = Node::Kind::mapping};
}

Node sequence_node() {
  return {.kind = Node::Kind::sequence};
}

Node& add_entry(Node& mapping, std::string key, Node value) {
  mapping.entries.push_back({.key = std::move(key), .key_mark = {}, .value = std::move(value)});
  return mapping.entries.back().value;
}

}  // namespace gpuhost
