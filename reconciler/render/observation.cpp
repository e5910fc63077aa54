#include "render/observation.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"
#include "render/value_text.hpp"

namespace gpuhost {

namespace {

/// A value that stands well on one line: no map, and no list of maps or lists.
bool one_line(const Json& value) {
  if (value.is_array())
    return std::ranges::none_of(value, [](const Json& item) { return item.is_structured(); });
  return !value.is_object() || value.empty() || (value.size() == 1 && value.contains("unknown"));
}

void write_tree(const Json& value, std::size_t depth, std::string& text) {
  const std::string indent(2 * depth, ' ');
  const auto write = [&](const std::string& label, const Json& item) {
    if (one_line(item)) {
      text += fmt::format("{}{} {}\n", indent, label, value_text(item));
    } else {
      text += fmt::format("{}{}\n", indent, label);
      write_tree(item, depth + 1, text);
    }
  };
  if (value.is_array())
    for (const auto& item : value) write("-", item);
  else
    for (const auto& [key, item] : value.items()) write(escape_for_terminal(key) + ":", item);
}

}  // namespace

Json observation_json(const HostIdentity& host, const Described& described) {
  Json kinds = Json::object();
  for (const auto& [name, what] : described) kinds[std::string(name)] = what;
  return {{"format_version", 1}, {"host", host_json(host)}, {"observed", std::move(kinds)}};
}

std::string observation_text(const HostIdentity& host, const Described& described, const Style& style) {
  std::string text = fmt::format("Host {}\n", host_text(host));
  for (const auto& [name, what] : described) {
    text += "\n" + style.bold(name);
    if (one_line(what)) {
      text += fmt::format(": {}\n", value_text(what));
    } else {
      text += ":\n";
      write_tree(what, 1, text);
    }
  }
  return text;
}

}  // namespace gpuhost
