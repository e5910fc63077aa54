#include "render/value_text.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "render/json_text.hpp"

namespace gpuhost {

namespace {

bool plain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-.:/=,+@%#~*").contains(static_cast<char>(c));
  });
}

std::string string_text(const std::string& text) {
  return plain(text) ? text : escape_for_terminal(fmt::format("\"{}\"", text));
}

std::string list_text(const Json& list) {
  std::vector<std::string> parts;
  for (const auto& item : list) parts.push_back(value_text(item));
  return fmt::format("[{}]", join(parts, ", "));
}

std::string map_text(const Json& map) {
  if (map.size() == 1 && map.contains("unknown"))
    return map["unknown"].is_string()
               ? fmt::format("unknown ({})", escape_for_terminal(map["unknown"].get<std::string>()))
               : "unknown";
  std::vector<std::string> parts;
  for (const auto& [key, value] : map.items())
    parts.push_back(fmt::format("{}: {}", escape_for_terminal(key), value_text(value)));
  return fmt::format("{{{}}}", join(parts, ", "));
}

bool boot_scoped(const Json& value) {
  return value.is_object() && value.contains("next_boot");
}

bool has_parts(const Json& value) {
  return value.is_object() && !value.empty() && !(value.size() == 1 && value.contains("unknown"));
}

Json part(const Json& value, const std::string& key) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(key);
  return found == value.end() ? Json() : *found;
}

std::string change_text(const Json& before, const Json& after) {
  if (before == after) return value_text(before);
  return fmt::format("{} -> {}", value_text(before), value_text(after));
}

std::string joined_label(const std::string& label, std::string_view name) {
  return label.empty() ? std::string(name) : fmt::format("{}, {}", label, name);
}

void collect(const std::string& label, const Json& before, const Json& after, std::vector<FieldLine>& lines);

void collect_boot_scoped(const std::string& label, const Json& before, const Json& after,
                         std::vector<FieldLine>& lines) {
  const Json running = part(before, "running");
  const Json running_after = boot_scoped(after) && after.contains("running") ? after["running"] : running;
  const Json next_boot = part(before, "next_boot");
  const Json next_boot_after = boot_scoped(after) ? after["next_boot"] : after;
  if (before.contains("running") || after.contains("running"))
    lines.push_back({joined_label(label, "running"), change_text(running, running_after)});
  if (next_boot.is_object() && next_boot_after.is_object())
    collect(joined_label(label, "next boot"), next_boot, next_boot_after, lines);
  else
    lines.push_back({joined_label(label, "next boot"), change_text(next_boot, next_boot_after)});
  if (after.is_object() && after.contains("desired") && after["desired"] != next_boot_after)
    lines.push_back({joined_label(label, "desired"), value_text(after["desired"])});
}

void collect(const std::string& label, const Json& before, const Json& after, std::vector<FieldLine>& lines) {
  if (before == after) return;
  if (boot_scoped(before) || boot_scoped(after)) return collect_boot_scoped(label, before, after, lines);
  const bool by_parts = (has_parts(before) || has_parts(after)) && (before.is_object() || before.is_null()) &&
                        (after.is_object() || after.is_null());
  if (!by_parts || after.is_null()) {
    lines.push_back({label, change_text(before, after)});
    return;
  }
  std::set<std::string> names;
  for (const auto* side : {&before, &after})
    if (side->is_object())
      for (const auto& [key, value] : side->items()) names.insert(key);
  for (const auto& name : names) {
    const auto escaped = escape_for_terminal(name);
    collect(label.empty() ? escaped : fmt::format("{}.{}", label, escaped), part(before, name),
            part(after, name), lines);
  }
}

}  // namespace

std::string value_text(const Json& value) {
  if (value.is_null()) return "(absent)";
  if (value.is_string()) return string_text(value.get<std::string>());
  if (value.is_array()) return list_text(value);
  if (value.is_object()) return map_text(value);
  return json_line(value);
}

std::vector<FieldLine> changed_fields(const Json& before, const Json& after) {
  std::vector<FieldLine> lines;
  collect("", before, after, lines);
  return lines;
}

std::string observed_text(const Json& value) {
  if (!boot_scoped(value)) return value_text(value);
  if (part(value, "running") == value["next_boot"] || !value.contains("running"))
    return value_text(value["next_boot"]);
  return fmt::format("running {}, next boot {}", value_text(value["running"]),
                     value_text(value["next_boot"]));
}

}  // namespace gpuhost
