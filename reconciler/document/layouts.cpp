#include "document/layouts.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

Layouts::Layouts(const Value& layouts) : layouts_(layouts.entries().value_or(std::vector<NamedValue>{})) {}

Node Layouts::applied_to(const Value& entry, Reading& reading) const {
  Node merged = *entry.node();
  const Node* written = merged.find("layout");
  if (written == nullptr) return merged;
  const Value reference(written, entry.path() + ".layout", written->mark, reading);
  const auto name = reference.text(formats::name);
  const auto found = std::ranges::find(layouts_, name.value_or(""), &NamedValue::name);
  if (name && found == layouts_.end()) {
    std::vector<std::string> known;
    for (const auto& layout : layouts_) known.push_back(layout.name);
    const auto near = suggest(*name, known);
    reference.report(messages::undefined_name, fmt::format("no layout has the name '{}'", *name),
                     near ? fmt::format("did you mean '{}'?", *near) : "define it under 'layouts'");
  }
  std::erase_if(merged.entries, [](const Node::Entry& part) { return part.key == "layout"; });
  if (!name || found == layouts_.end() || found->value.node()->kind != Node::Kind::mapping) return merged;

  for (const auto& part : found->value.node()->entries) {
    const auto same = std::ranges::find(merged.entries, part.key, &Node::Entry::key);
    if (same == merged.entries.end())
      merged.entries.push_back(part);
    else
      reading.diagnostics.report(messages::layout_conflict, same->key_mark,
                                 fmt::format("'{}' stands here and in the layout '{}'", part.key, *name),
                                 "remove it from one of them", part.key_mark);
  }
  return merged;
}

}  // namespace gpuhost
