#include "document/merge.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/sha256.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

std::string under(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

const std::string* name_of(const Node& item) {
  const Node* name = item.find("name");
  return name != nullptr && name->kind == Node::Kind::scalar ? &name->text : nullptr;
}

std::string shown(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return fmt::format("'{}'", node.text);
    case Node::Kind::sequence:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
  }
  return {};
}

class Merger {
 public:
  Merger(std::span<const LowestWins> rules, Diagnostics& diagnostics)
      : rules_(rules), diagnostics_(diagnostics) {}

  void merge(Node& into, Node&& from, const std::string& path) {
    if (into.kind == Node::Kind::mapping && from.kind == Node::Kind::mapping)
      merge_maps(into, std::move(from), path);
    else if (into.kind == Node::Kind::sequence && from.kind == Node::Kind::sequence)
      merge_lists(into, std::move(from), path);
    else
      merge_values(into, std::move(from), path);
  }

  void later_overrides(bool yes) { overrides_ = yes; }
  [[nodiscard]] std::vector<std::string> take_overridden() { return std::move(overridden_); }

 private:
  void merge_maps(Node& into, Node&& from, const std::string& path) {
    std::map<std::string, std::size_t> index;
    for (std::size_t i = 0; i < into.entries.size(); ++i) index.emplace(into.entries[i].key, i);
    for (auto& entry : from.entries) {
      const auto same = index.find(entry.key);
      if (same == index.end())
        into.entries.push_back(std::move(entry));
      else
        merge(into.entries[same->second].value, std::move(entry.value), under(path, entry.key));
    }
  }

  /// Only entries that were there before are merged with: two of one name in one file stay two, to be
  /// reported.
  void merge_lists(Node& into, Node&& from, const std::string& path) {
    const auto before = static_cast<std::ptrdiff_t>(into.items.size());
    for (auto& item : from.items) {
      const std::string* name = name_of(item);
      const auto end = into.items.begin() + before;
      const auto same = name == nullptr ? end : std::find_if(into.items.begin(), end, [&](const Node& other) {
        const std::string* other_name = name_of(other);
        return other_name != nullptr && *other_name == *name;
      });
      if (same == end)
        into.items.push_back(std::move(item));
      else
        merge(*same, std::move(item), fmt::format("{}[{}]", path, *name));
    }
  }

  void merge_values(Node& into, Node&& from, const std::string& path) {
    if (into.kind == from.kind && into.text == from.text) return;
    if (const auto* rule = rule_for(path)) {
      if (rank(*rule, from) < rank(*rule, into)) into = std::move(from);
    } else if (overrides_ && path != "metadata.name") {
      overridden_.push_back(fmt::format("{}: {} ({}) → {} ({})", path, shown(into),
                                        diagnostics_.place(into.mark), shown(from),
                                        diagnostics_.place(from.mark)));
      into = std::move(from);
    } else {
      diagnostics_.report(
          messages::conflicting_values, from.mark,
          fmt::format("{} is {} here, and {} in another file", path, shown(from), shown(into)),
          path == "metadata.name" ? "files that are read together are one document with one name"
                                  : "make them agree, or set 'metadata.overrides: true' in this file",
          into.mark);
    }
  }

  [[nodiscard]] const LowestWins* rule_for(std::string_view path) const {
    const auto found = std::ranges::find(rules_, path, &LowestWins::path);
    return found == rules_.end() ? nullptr : &*found;
  }
  /// A word that is not known ranks first, so that it stays and is reported.
  static std::ptrdiff_t rank(const LowestWins& rule, const Node& node) {
    const auto found = std::ranges::find(rule.words, node.text);
    return found == rule.words.end() ? -1 : found - rule.words.begin();
  }

  std::span<const LowestWins> rules_;
  Diagnostics& diagnostics_;
  bool overrides_ = false;
  std::vector<std::string> overridden_;
};

bool overrides(const Node& root) {
  const Node* metadata = root.find("metadata");
  const Node* flag = metadata == nullptr ? nullptr : metadata->find("overrides");
  return flag != nullptr && flag->kind == Node::Kind::scalar && !flag->quoted && flag->text == "true";
}

/// `metadata.overrides` speaks of one file. It is left in only where it is no truth value, to be reported.
void drop_overrides(Node& root) {
  const auto metadata = std::ranges::find(root.entries, "metadata", &Node::Entry::key);
  if (metadata == root.entries.end()) return;
  std::erase_if(metadata->value.entries, [](const Node::Entry& entry) {
    const auto& [key, mark, value] = entry;
    return key == "overrides" && value.kind == Node::Kind::scalar && !value.quoted &&
           (value.text == "true" || value.text == "false");
  });
}

/// Lists whose order says nothing: all lists of mappings, and these.
bool is_set(std::string_view key, const Node& list) {
  constexpr std::array<std::string_view, 3> sets{"hosts", "vms", "gpus"};
  return std::ranges::find(sets, key) != sets.end() ||
         std::ranges::all_of(list.items, [](const Node& item) { return item.kind == Node::Kind::mapping; });
}

/// Lengths before texts, so that no two trees have the same form.
std::string canonical(const Node& node, std::string_view key) {
  if (node.kind == Node::Kind::null) return "n";
  if (node.kind == Node::Kind::scalar) return fmt::format("s{}:{}", node.text.size(), node.text);
  const bool is_list = node.kind == Node::Kind::sequence;
  std::vector<std::string> parts;
  for (const auto& item : node.items) parts.push_back(canonical(item, {}));
  for (const auto& entry : node.entries)
    parts.push_back(fmt::format("{}:{}={}", entry.key.size(), entry.key, canonical(entry.value, entry.key)));
  if (!is_list || is_set(key, node)) std::ranges::sort(parts);
  return fmt::format("{}{}[{}]", is_list ? 'l' : 'm', parts.size(), fmt::join(parts, ""));
}

}  // namespace

MergedTree merge_trees(std::vector<Node> trees, std::span<const LowestWins> rules, Diagnostics& diagnostics) {
  Merger merger(rules, diagnostics);
  MergedTree merged;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    merger.later_overrides(overrides(trees[i]));
    drop_overrides(trees[i]);
    if (i == 0)
      merged.root = std::move(trees[i]);
    else
      merger.merge(merged.root, std::move(trees[i]), {});
  }
  merged.overridden = merger.take_overridden();
  merged.sha256 = sha256(canonical(merged.root, {}));
  return merged;
}

}  // namespace gpuhost
