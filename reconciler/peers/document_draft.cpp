#include "peers/document_draft.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"

namespace gpuhost {

namespace {

std::string as_name(std::string_view text) {
  std::string name(text);
  for (char& c : name)
    if (!formats::is_word(std::string_view(&c, 1), "._-")) c = '-';
  return formats::name.accepts(name) ? name : "imported";
}

}  // namespace

void DocumentDraft::add_gpu(Node match, Node content) {
  Node entry = mapping_node();
  add_entry(entry, "name", text_node(fmt::format("gpu{}", gpus_.items.size())));
  add_entry(entry, "match", std::move(match));
  for (auto& [key, mark, value] : content.entries) add_entry(entry, std::move(key), std::move(value));
  gpus_.items.push_back(std::move(entry));
}

void DocumentDraft::add_layout(std::string_view name, Node content) {
  const auto first = as_name(name);
  auto free = first;
  for (unsigned next = 2; layouts_.find(free) != nullptr; ++next) free = fmt::format("{}-{}", first, next);
  add_entry(layouts_, std::move(free), std::move(content));
}

Imported DocumentDraft::finished(std::string_view name) && {
  Imported imported{mapping_node(), std::move(left_out_)};
  add_entry(imported.document, "apiVersion", plain_node("gpuhost/v1"));
  add_entry(imported.document, "kind", plain_node("HostState"));
  auto& metadata = add_entry(imported.document, "metadata", mapping_node());
  add_entry(metadata, "name", text_node(as_name(name)));
  if (!layouts_.entries.empty()) add_entry(imported.document, "layouts", std::move(layouts_));
  if (!gpus_.items.empty()) add_entry(imported.document, "gpus", std::move(gpus_));
  return imported;
}

Node match_node(std::string key, std::string value) {
  Node match = mapping_node();
  add_entry(match, std::move(key), text_node(std::move(value)));
  return match;
}

Node match_node(const PciAddress& address) {
  return match_node("address", address.to_string());
}

std::string name_of_vgpu_type(std::string_view type) {
  return lower_case(type.substr(type.rfind(' ') + 1));
}

}  // namespace gpuhost
