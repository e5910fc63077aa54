#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/encoding.hpp"
#include "document/scalar.hpp"
#include "document/yaml.hpp"

namespace gpuhost {

namespace {

std::string double_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f)
          out += fmt::format("\\x{:02x}", byte);
        else
          out += c;
    }
  }
  return out + '"';
}

/// Lines of printable text can stand as they are; the first must not be blank or indented, as it sets the
/// indentation.
bool can_be_literal(std::string_view text) {
  if (text.find('\n') == std::string_view::npos || text.starts_with(' ') || text.starts_with('\n'))
    return false;
  return !first_bad_byte(text) && std::ranges::none_of(text, [](char c) {
    return (c < ' ' && c >= 0 && c != '\n' && c != '\t') || c == '\x7f';
  });
}

std::string literal_block(std::string_view text, std::size_t indent) {
  const auto last = text.find_last_not_of('\n');
  const std::size_t line_ends = last == std::string_view::npos ? text.size() : text.size() - last - 1;
  std::string out = line_ends == 0 ? "|-" : line_ends == 1 ? "|" : "|+";
  for (const auto line : lines(text)) {
    out += '\n';
    if (!line.empty()) out.append(indent, ' ').append(line);
  }
  return out;
}

std::string scalar(const Node& node, std::size_t indent) {
  const auto type = plain_type(node.text);
  const bool stands_plain =
      type == PlainType::text ? is_text_in_yaml_1_1(node.text) : type != PlainType::null;
  if (!node.quoted && can_be_plain(node.text) && stands_plain) return node.text;
  return can_be_literal(node.text) ? literal_block(node.text, indent) : double_quoted(node.text);
}

std::string key_text(const std::string& key) {
  const bool stands_plain =
      can_be_plain(key) && plain_type(key) == PlainType::text && is_text_in_yaml_1_1(key);
  return stands_plain ? key : double_quoted(key);
}

bool is_block(const Node& node) {
  return !node.items.empty() || !node.entries.empty();
}

void emit(const Node& node, std::size_t indent, std::string& out);

/// The value after "key:" or "-": on the same line if it is no block.
void emit_value(const Node& node, std::size_t indent, std::string& out) {
  if (is_block(node)) {
    out += '\n';
    emit(node, indent, out);
    return;
  }
  out += ' ';
  switch (node.kind) {
    case Node::Kind::null:
      out += "null";
      break;
    case Node::Kind::sequence:
      out += "[]";
      break;
    case Node::Kind::mapping:
      out += "{}";
      break;
    case Node::Kind::scalar:
      out += scalar(node, indent);
      break;
  }
  out += '\n';
}

void emit(const Node& node, std::size_t indent, std::string& out) {
  for (const auto& item : node.items) {
    out.append(indent, ' ') += '-';
    emit_value(item, indent + 2, out);
  }
  for (const auto& [key, mark, value] : node.entries) {
    out.append(indent, ' ') += key_text(key) + ':';
    emit_value(value, indent + 2, out);
  }
}

}  // namespace

std::string emit_yaml(const Node& node) {
  std::string out;
  if (is_block(node)) {
    emit(node, 0, out);
  } else {
    emit_value(node, 2, out);
    out.erase(0, 1);
  }
  return out;
}

}  // namespace gpuhost
