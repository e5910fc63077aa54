#include "host/sim/shown_domain.hpp"

#include <fmt/core.h>

#include "base/text.hpp"
#include "base/uuid.hpp"
#include "host/sim/sim_guests.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view blanks = " \t\r\n";

/// Where the tag that starts at `at` ends; a `>` in a value does not end it.
std::size_t end_of_tag(std::string_view xml, std::size_t at) {
  char quote = '\0';
  for (; at < xml.size(); ++at) {
    const char c = xml[at];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      break;
    }
  }
  return at;
}

/// Source: libvirt 9.0, virDomainGraphicsAuthDefFormatAttr() in src/conf/domain_conf.c.
std::string without_passwords(std::string xml) {
  constexpr std::string_view tag = "<graphics";
  constexpr std::string_view key = "passwd=";
  for (auto at = xml.find(tag); at != std::string::npos; at = xml.find(tag, at + tag.size())) {
    const auto end = end_of_tag(xml, at);
    const auto value = xml.find(key, at);
    if (value >= end || blanks.find(xml[value - 1]) == std::string_view::npos) continue;
    const auto first = value + key.size() + 1;
    const auto last = xml.find(xml[first - 1], first);
    if (last < end) xml.replace(first, last - first, "*****");
  }
  return xml;
}

/// Any space will do: it has to be the same for the same name.
Uuid made_up(std::string_view name) {
  return Uuid::from_name(Uuid{}, name);
}

}  // namespace

std::optional<std::string> uuid_in(std::string_view xml) {
  constexpr std::string_view start = "<uuid>";
  const auto at = xml.find(start);
  if (at == std::string_view::npos) return std::nullopt;
  const auto text = xml.substr(at + start.size());
  const auto uuid = Uuid::parse(trim(text.substr(0, text.find('<'))));
  return uuid ? std::optional(uuid->to_string()) : std::nullopt;
}

std::string uuid_of_domain(std::string_view name, std::string_view xml) {
  return uuid_in(xml).value_or(made_up(name).to_string());
}

std::string with_uuid(std::string xml, std::string_view name) {
  if (uuid_in(xml)) return xml;
  constexpr std::string_view end = "</name>";
  const auto at = xml.find(end);
  if (at == std::string::npos) return xml;
  const auto name_at = xml.find("<name>");
  const auto before = xml.find_last_not_of(blanks, name_at - 1) + 1;
  const std::string indent = name_at < at ? xml.substr(before, name_at - before) : "";
  return xml.insert(at + end.size(), fmt::format("{}<uuid>{}</uuid>", indent, made_up(name).to_string()));
}

Domain shown_domain(const std::string& name, const HostFile::Domain& domain) {
  const auto shown = [&](const std::string& xml) { return without_passwords(with_uuid(xml, name)); };
  Domain made;
  made.name = name;
  made.uuid = uuid_of_domain(name, domain.definition);
  made.persistent = domain.persistent;
  made.running = domain.running;
  made.autostart = domain.autostart;
  if (domain.persistent) made.definition = shown(domain.definition);
  made.saved = domain.saved;
  if (domain.running || domain.saved) made.live = shown(live_xml(domain));
  return made;
}

}  // namespace gpuhost
