#include "document/yaml.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "document/encoding.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

/// Thrown through yaml-cpp to stop it when going on would cost too much; caught in parse_yaml.
struct LimitReached {};

Mark to_mark(std::uint32_t source, const YAML::Mark& mark) {
  if (mark.is_null()) return {source, 1, 1};
  return {source, static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
}

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_nodes(item);
  for (const auto& entry : node.entries) count += count_nodes(entry.value);
  return count;
}

std::size_t depth_of(const Node& node) {
  std::size_t deepest = 0;
  for (const auto& item : node.items) deepest = std::max(deepest, depth_of(item));
  for (const auto& entry : node.entries) deepest = std::max(deepest, depth_of(entry.value));
  return deepest + 1;
}

/// Builds a tree from the events of one YAML document and reports what a gpuhost file must not have.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::uint32_t source, Diagnostics& diagnostics, const YamlLimits& limits)
      : source_(source), diagnostics_(diagnostics), limits_(limits) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] Node take_root() { return std::move(root_); }
  [[nodiscard]] Mark start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = to_mark(source_, mark); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    complete(make(Node::Kind::null, mark), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(Node::Kind::scalar, mark);
    node.text = value;
    node.quoted = tag == "!";
    check_tag(tag, node.mark);
    complete(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      stop(messages::recursive_alias, to_mark(source_, mark), "the alias stands inside what it repeats", {});
    }
    spend(count_nodes(found->second), to_mark(source_, mark));
    if (open_.size() + depth_of(found->second) > limits_.depth) too_deep(to_mark(source_, mark));
    complete(Node(found->second), YAML::NullAnchor);
  }

 private:
  /// A collection whose end has not come yet; in a mapping, also the key whose value comes next.
  struct Open {
    Node node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::set<std::string> keys = {};
    std::optional<Node> key = {};
  };

  void report(const Message& message, Mark mark, std::string text, std::string advice = {},
              std::optional<Mark> other = {}) {
    ok_ = false;
    diagnostics_.report(message, mark, std::move(text), std::move(advice), other);
  }
  [[noreturn]] void stop(const Message& message, Mark mark, std::string text, std::string advice) {
    report(message, mark, std::move(text), std::move(advice));
    throw LimitReached{};
  }
  [[noreturn]] void too_deep(Mark mark) {
    stop(messages::too_deep, mark, fmt::format("values are nested deeper than {} levels", limits_.depth), {});
  }

  void check_tag(const std::string& tag, Mark mark) {
    if (!tag.empty() && tag != "!" && tag != "?")
      report(messages::tag, mark, fmt::format("the tag '{}' is not allowed", tag),
             "remove it; quote a value that must stay text");
  }

  void spend(std::size_t nodes, Mark mark) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes)
      stop(messages::too_many_values, mark, fmt::format("the file has more than {} values", limits_.nodes),
           "use fewer aliases, or split the file");
  }

  Node make(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.mark = to_mark(source_, mark);
    spend(1, node.mark);
    return node;
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Node node = make(kind, mark);
    check_tag(tag, node.mark);
    if (open_.size() + 1 > limits_.depth) too_deep(node.mark);
    open_.push_back({std::move(node), anchor});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    complete(std::move(done.node), done.anchor);
  }

  /// Puts a finished value where it belongs.
  void complete(Node node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (Open& parent = open_.back(); parent.node.kind == Node::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      check_key(node);
      parent.key = std::move(node);
    } else {
      add_entry(parent, *std::exchange(parent.key, std::nullopt), std::move(node));
    }
  }

  void check_key(const Node& key) {
    if (key.kind != Node::Kind::scalar)
      report(messages::key_not_text, key.mark, "the key of a mapping must be one word",
             "quote it if it is meant");
  }

  void add_entry(Open& mapping, Node key, Node value) {
    if (key.kind != Node::Kind::scalar) return;
    if (mapping.keys.insert(key.text).second) {
      mapping.node.entries.push_back({std::move(key.text), key.mark, std::move(value)});
      return;
    }
    const auto first = std::ranges::find(mapping.node.entries, key.text, &Node::Entry::key);
    report(messages::duplicate_key, key.mark, fmt::format("the key '{}' stands here a second time", key.text),
           {}, first->key_mark);
  }

  std::uint32_t source_;
  Diagnostics& diagnostics_;
  YamlLimits limits_;
  bool ok_ = true;
  Mark start_;
  Node root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
};

/// Whether the bytes may be given to yaml-cpp, which guesses other encodings and takes NUL for the end.
bool readable(std::uint32_t source, Diagnostics& diagnostics, const YamlLimits& limits) {
  const auto& text = diagnostics.source(source).text;
  if (text.size() > limits.bytes) {
    diagnostics.report(messages::file_too_large, {source},
                       fmt::format("the file has {} bytes, more than {}", text.size(), limits.bytes),
                       "split it: -f takes several files and directories");
    return false;
  }
  if (const auto bad = first_bad_byte(text)) {
    const auto before = std::string_view(text).substr(0, *bad);
    const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    const Mark mark{source, static_cast<std::uint32_t>(1 + std::ranges::count(before, '\n')),
                    static_cast<std::uint32_t>(*bad - line_start + 1)};
    diagnostics.report(
        messages::not_utf8, mark,
        fmt::format("the byte 0x{:02x} is not UTF-8 text", static_cast<unsigned char>(text[*bad])),
        "save the file as UTF-8");
    return false;
  }
  return true;
}

}  // namespace

std::optional<Node> parse_yaml(std::uint32_t source, Diagnostics& diagnostics, const YamlLimits& limits) {
  if (!readable(source, diagnostics, limits)) return std::nullopt;
  TreeBuilder first(source, diagnostics, limits);
  try {
    std::istringstream input(diagnostics.source(source).text);
    YAML::Parser parser(input);
    if (!parser.HandleNextDocument(first)) {
      diagnostics.report(messages::empty_file, {source}, "the file is empty",
                         "a document begins with 'apiVersion: gpuhost/v1'");
      return std::nullopt;
    }
    TreeBuilder second(source, diagnostics, limits);
    if (parser.HandleNextDocument(second)) {
      diagnostics.report(messages::several_documents, second.start(), "a second document begins here",
                         "put it into a file of its own");
      return std::nullopt;
    }
  } catch (const LimitReached&) {
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    diagnostics.report(messages::yaml_syntax, to_mark(source, error.mark),
                       fmt::format("not YAML: {}", error.msg));
    return std::nullopt;
  }
  if (!first.ok()) return std::nullopt;
  return first.take_root();
}

}  // namespace gpuhost
