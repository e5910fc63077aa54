#include "document/map_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "document/messages.hpp"
#include "document/scalar.hpp"

namespace gpuhost {

namespace {

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return "a single value";
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
  }
  std::unreachable();
}

PlainType type_of(const Node& scalar) {
  return scalar.quoted ? PlainType::text : plain_type(scalar.text);
}

std::string_view type_name(PlainType type) {
  switch (type) {
    case PlainType::text:
      return "text";
    case PlainType::null:
      return "null";
    case PlainType::boolean:
      return "a truth value";
    case PlainType::integer:
    case PlainType::real:
      return "a number";
  }
  std::unreachable();
}

/// "gpus[left].match" as "gpus[].match".
std::string without_names(std::string_view path) {
  std::string out;
  for (unsigned depth = 0; const char c : path) {
    if (c == ']') --depth;
    if (depth == 0) out += c;
    if (c == '[') ++depth;
  }
  return out;
}

std::string under(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string quoted_list(std::span<const std::string> keys) {
  std::vector<std::string> quoted;
  for (const auto& key : keys) quoted.push_back(fmt::format("'{}'", key));
  return join(quoted, ", ");
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  const auto near = suggest(word, known);
  return near ? fmt::format("did you mean '{}'?", *near) : std::string();
}

std::string yes_or_no(std::string_view text) {
  for (const std::string_view yes : {"yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE", "1", "enabled"})
    if (text == yes) return "write true";
  for (const std::string_view no : {"no", "No", "NO", "off", "Off", "OFF", "False", "FALSE", "0", "disabled"})
    if (text == no) return "write false";
  return "write true or false";
}

}  // namespace

Value::Value(const Node* node, std::string path, Mark mark, Reading& reading)
    : node_(node), path_(std::move(path)), mark_(mark), reading_(&reading) {}

void Value::report(const Message& message, std::string text, std::string advice,
                   std::optional<Mark> other) const {
  report_at(mark_, message, std::move(text), std::move(advice), other);
}

void Value::report_at(Mark mark, const Message& message, std::string text, std::string advice,
                      std::optional<Mark> other) const {
  reading_->diagnostics.report(message, mark, std::move(text), std::move(advice), other);
}

bool Value::is(Node::Kind kind, std::string_view wanted) const {
  if (node_ == nullptr) return false;
  if (node_->kind == kind) return true;
  const bool list_missing = kind == Node::Kind::sequence && node_->kind == Node::Kind::null;
  report(messages::wrong_type, fmt::format("{} is needed here, not {}", wanted, kind_name(node_->kind)),
         list_missing ? "write [] for none, or leave the key out to leave it unmanaged" : "");
  return false;
}

std::optional<std::string> Value::text() const {
  if (!is(Node::Kind::scalar, "text")) return std::nullopt;
  if (const auto type = type_of(*node_); type != PlainType::text) {
    report(messages::needs_quotes,
           fmt::format("YAML reads {} as {}; text is needed", node_->text, type_name(type)),
           fmt::format("write \"{}\"", node_->text));
    return std::nullopt;
  }
  if (node_->text.empty()) {
    report(messages::malformed, "the text is empty");
    return std::nullopt;
  }
  return node_->text;
}

bool Value::accepted(const std::optional<std::string>& text, const Format& format) const {
  if (!text) return false;
  if (format.accepts(*text)) return true;
  report(messages::malformed, fmt::format("'{}' is not {}", *text, format.what), std::string(format.advice));
  return false;
}

std::optional<std::string> Value::text(const Format& format) const {
  auto text = this->text();
  return accepted(text, format) ? text : std::nullopt;
}

std::optional<std::string> Value::text_or_number() const {
  if (!is(Node::Kind::scalar, "text or a number")) return std::nullopt;
  const auto type = type_of(*node_);
  if (type == PlainType::integer || type == PlainType::real) return node_->text;
  if (type == PlainType::boolean) {
    report(messages::needs_quotes,
           fmt::format("{} is a truth value; text or a number is needed", node_->text),
           "write what the kernel shall get, such as 1, \"on\" or \"Y\"");
    return std::nullopt;
  }
  return text();
}

std::optional<std::string> Value::text_or_number(const Format& format) const {
  auto text = text_or_number();
  return accepted(text, format) ? text : std::nullopt;
}

std::optional<bool> Value::boolean() const {
  if (!is(Node::Kind::scalar, "true or false")) return std::nullopt;
  if (!node_->quoted && node_->text == "true") return true;
  if (!node_->quoted && node_->text == "false") return false;
  report(messages::not_boolean, fmt::format("'{}' is neither true nor false", node_->text),
         node_->quoted ? "write true or false, without quotes" : yes_or_no(node_->text));
  return std::nullopt;
}

std::optional<unsigned> Value::integer(unsigned least, unsigned most) const {
  if (!is(Node::Kind::scalar, "a whole number")) return std::nullopt;
  const auto& text = node_->text;
  if (type_of(*node_) != PlainType::integer || text.find_first_of("ox+") != std::string::npos) {
    report(messages::not_integer, fmt::format("'{}' is not a whole number", text),
           node_->quoted ? "write it without quotes" : "");
    return std::nullopt;
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < least || number > most) {
    report(messages::out_of_range, fmt::format("{} is not between {} and {}", text, least, most));
    return std::nullopt;
  }
  return number;
}

std::optional<std::chrono::seconds> Value::duration(std::chrono::seconds least,
                                                    std::chrono::seconds most) const {
  if (!is(Node::Kind::scalar, "a duration")) return std::nullopt;
  const auto& text = node_->text;
  const auto duration = parse_duration(text);
  if (!duration) {
    report(messages::malformed, fmt::format("'{}' is not a duration", text), "write it as 180s, 3m or 1h");
    return std::nullopt;
  }
  if (*duration > most || *duration < least) {
    report(messages::out_of_range,
           fmt::format("{} is not between {}s and {}s", text, least.count(), most.count()));
    return std::nullopt;
  }
  return duration;
}

std::optional<std::size_t> Value::word_index(std::span<const std::string> words) const {
  if (!is(Node::Kind::scalar, fmt::format("one of {}", fmt::join(words, ", ")))) return std::nullopt;
  if (const auto found = std::ranges::find(words, node_->text); found != words.end())
    return static_cast<std::size_t>(found - words.begin());
  auto advice = did_you_mean(node_->text, words);
  report(messages::unknown_word, fmt::format("'{}' is not one of {}", node_->text, fmt::join(words, ", ")),
         std::move(advice));
  return std::nullopt;
}

std::optional<std::vector<Value>> Value::list() const {
  if (!is(Node::Kind::sequence, "a list")) return std::nullopt;
  std::vector<Value> values;
  for (std::size_t i = 0; i < node_->items.size(); ++i) {
    const Node& item = node_->items[i];
    const Node* name = item.find("name");
    const bool named = name != nullptr && name->kind == Node::Kind::scalar;
    values.emplace_back(&item, fmt::format("{}[{}]", path_, named ? name->text : std::to_string(i)),
                        item.mark, *reading_);
  }
  return values;
}

MapReader Value::mapping() const {
  return MapReader(*this);
}

std::optional<std::vector<NamedValue>> Value::entries() const {
  if (!is(Node::Kind::mapping, "a mapping")) return std::nullopt;
  std::vector<NamedValue> named;
  for (const auto& entry : node_->entries) {
    auto path = fmt::format("{}[{}]", path_, entry.key);
    named.push_back({Value(nullptr, path, entry.key_mark, *reading_), entry.key,
                     Value(&entry.value, path, entry.value.mark, *reading_)});
  }
  std::ranges::sort(named, {}, &NamedValue::name);
  return named;
}

void MapReader::claim_all() {
  value_.node_ = nullptr;
}

MapReader::MapReader(const Value& value) : value_(value) {
  if (!value.is(Node::Kind::mapping, "a mapping")) value_.node_ = nullptr;
}

MapReader::~MapReader() {
  if (value_.node_ == nullptr) return;
  for (const auto& entry : value_.node_->entries) {
    if (std::ranges::find(claimed_, entry.key) != claimed_.end()) continue;
    auto advice = did_you_mean(entry.key, claimed_);
    if (advice.empty() && !claimed_.empty())
      advice = fmt::format("known here: {}", fmt::join(claimed_, ", "));
    value_.reading_->diagnostics.report(messages::unknown_key, entry.key_mark,
                                        fmt::format("unknown key '{}'", entry.key), std::move(advice));
  }
}

Value MapReader::at(std::string_view key) {
  if (std::ranges::find(claimed_, key) == claimed_.end()) claimed_.emplace_back(key);
  auto path = under(value_.path_, key);
  if (auto* known = value_.reading_->known_keys) known->insert(without_names(path));
  const Node* found = value_.node_ == nullptr ? nullptr : value_.node_->find(key);
  return {found, std::move(path), found == nullptr ? value_.mark_ : found->mark, *value_.reading_};
}

Value MapReader::required(std::string_view key) {
  Value value = at(key);
  if (!value && value_.node_ != nullptr)
    report(messages::missing_key, fmt::format("the key '{}' is missing", key));
  return value;
}

std::optional<std::string> MapReader::exactly_one(std::initializer_list<std::string_view> keys) {
  std::vector<std::string> wanted;
  std::vector<Value> given;
  std::optional<std::string> one;
  for (const auto key : keys) {
    wanted.emplace_back(key);
    if (Value value = at(key)) {
      given.push_back(value);
      one = key;
    }
  }
  if (value_.node_ == nullptr || given.size() == 1) return one;
  const auto names = quoted_list(wanted);
  if (given.empty()) {
    report(messages::not_exactly_one, fmt::format("one of {} is missing", names));
  } else {
    given.back().report(messages::not_exactly_one, fmt::format("only one of {} can be given", names), {},
                        given.front().mark());
  }
  return std::nullopt;
}

}  // namespace gpuhost
