#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "document/diagnostics.hpp"
#include "document/node.hpp"

namespace gpuhost {

/// What the readers of one decoding share.
struct Reading {
  Diagnostics& diagnostics;
  /// If set, every key that a reader knows is added, as a path: "gpus[].match.address".
  std::set<std::string>* known_keys = nullptr;
};

/// A form that text can have: "0000:41:00.0" as a PCI address.
struct Format {
  std::string_view what;    ///< "a PCI address"
  std::string_view advice;  ///< "write it as 0000:41:00.0"
  bool (*accepts)(std::string_view text);
};

/// One word of an enumeration.
template <class E>
struct Word {
  std::string_view text;
  E value;
};

class MapReader;
struct NamedValue;

/// A value of the document that may be absent. Each getter yields nothing if the value is absent, and reports
/// and yields nothing if it is not what was asked for.
class Value {
 public:
  /// `node` may be null: absent. Node and reading must outlive the value.
  Value(const Node* node, std::string path, Mark mark, Reading& reading);

  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }
  /// Where the value stands; if absent, where it would.
  [[nodiscard]] Mark mark() const noexcept { return mark_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const Node* node() const noexcept { return node_; }

  /// Text that is not empty. A plain scalar that YAML reads as a number, truth value or null must be quoted.
  [[nodiscard]] std::optional<std::string> text() const;
  [[nodiscard]] std::optional<std::string> text(const Format& format) const;
  /// Text or a number, as it was written; a plain truth value is refused with advice, as it would be a guess
  /// what the kernel shall get.
  [[nodiscard]] std::optional<std::string> text_or_number() const;
  [[nodiscard]] std::optional<std::string> text_or_number(const Format& format) const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<unsigned> integer(unsigned least, unsigned most) const;
  /// "180s", "3m" or "1h".
  [[nodiscard]] std::optional<std::chrono::seconds> duration(std::chrono::seconds least,
                                                             std::chrono::seconds most) const;
  template <class E>
  [[nodiscard]] std::optional<E> word(std::span<const Word<E>> words) const {
    std::vector<std::string> known;
    for (const auto& entry : words) known.emplace_back(entry.text);
    const auto index = word_index(known);
    return index ? std::optional(words[*index].value) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::vector<Value>> list() const;
  [[nodiscard]] MapReader mapping() const;
  /// A mapping whose keys are free, sorted by key.
  [[nodiscard]] std::optional<std::vector<NamedValue>> entries() const;

  void report(const Message& message, std::string text, std::string advice = {},
              std::optional<Mark> other = {}) const;
  /// The same, at a place inside the value.
  void report_at(Mark mark, const Message& message, std::string text, std::string advice = {},
                 std::optional<Mark> other = {}) const;

 private:
  friend class MapReader;
  [[nodiscard]] bool is(Node::Kind kind, std::string_view wanted) const;
  [[nodiscard]] bool accepted(const std::optional<std::string>& text, const Format& format) const;
  [[nodiscard]] std::optional<std::size_t> word_index(std::span<const std::string> words) const;

  const Node* node_;
  std::string path_;
  Mark mark_;
  Reading* reading_;
};

/// A value under a free key, which is a name.
struct NamedValue {
  Value key;
  std::string name;
  Value value;
};

/// A mapping in which every key must be asked for: those that nobody has asked for when the reader goes are
/// reported as unknown, with the nearest of the asked ones. Several kinds may share one reader, each claiming
/// its keys.
class MapReader {
 public:
  /// `value` absent or no mapping: the reader is empty, all its values are absent and none is missing.
  explicit MapReader(const Value& value);
  ~MapReader();
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  /// Whether there is a mapping.
  [[nodiscard]] explicit operator bool() const noexcept { return value_.node_ != nullptr; }
  [[nodiscard]] Mark mark() const noexcept { return value_.mark_; }
  [[nodiscard]] const std::string& path() const noexcept { return value_.path_; }

  /// Claims the key.
  [[nodiscard]] Value at(std::string_view key);
  /// Claims the key, and reports it if it is absent.
  [[nodiscard]] Value required(std::string_view key);
  /// Claims the keys, and reports if not exactly one of them is there; the one that is.
  [[nodiscard]] std::optional<std::string> exactly_one(std::initializer_list<std::string_view> keys);

  /// Gives up the check for unknown keys: the mapping is not what the reader was made for.
  void claim_all();

  void report(const Message& message, std::string text, std::string advice = {},
              std::optional<Mark> other = {}) const {
    value_.report(message, std::move(text), std::move(advice), other);
  }

 private:
  Value value_;
  std::vector<std::string> claimed_;
};

}  // namespace gpuhost
