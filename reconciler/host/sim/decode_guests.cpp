#include "host/sim/decode_guests.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"
#include "document/messages.hpp"
#include "host/domain_xml.hpp"
#include "host/sim/decode_host_entry.hpp"
#include "host/sim/decode_host_value.hpp"

namespace gpuhost {

namespace {

constexpr unsigned largest_pid = 4'194'304;  // PID_MAX_LIMIT of a 64-bit Linux

HostFile::Process decode_process(const Value& value) {
  HostFile::Process process;
  auto reader = value.mapping();
  process.name = decode_text(reader.required("name")).value_or("");
  process.cgroup = decode_text(reader.at("cgroup")).value_or("");
  process.opens = words_in(reader.at("opens"));
  std::ranges::sort(process.opens);
  const auto twice = std::ranges::unique(process.opens);
  process.opens.erase(twice.begin(), twice.end());
  return process;
}

/// States that libvirt does not know: a domain that is off has no guest, a transient one is never off.
void check_states(const HostFile::Domain& domain, const NamedValue& named) {
  const auto refuse = [&](std::string_view what, const char* advice) {
    named.key.report(messages::malformed, fmt::format("the domain {} {}", named.name, what), advice);
  };
  if (domain.running && domain.saved) refuse("cannot be running and saved", "leave one of the two out");
  if (domain.live && !domain.running && !domain.saved) {
    refuse("has no live XML, since it does not run", "leave out live, or write running: true");
  }
  if (!domain.persistent && !domain.running) {
    refuse("is transient and does not run, so that it would not exist", "write running: true");
  }
  if (!domain.persistent && domain.autostart) {
    refuse("is transient and cannot start by itself", "leave out autostart");
  }
}

/// Of a recorded domain, XML that could not be read is left out.
void check_name(const std::string& xml, const NamedValue& named) {
  const auto read = read_domain_xml(xml);
  if (!read || read->name == named.name) return;
  named.key.report(messages::malformed,
                   fmt::format("the XML of the domain {} is that of {}", named.name, read->name));
}

std::optional<HostFile::Agent> decode_agent(const Value& value) {
  if (!value) return std::nullopt;
  HostFile::Agent agent;
  auto reader = value.mapping();
  agent.system = decode_text(reader.required("system")).value_or("");
  agent.installed = decode_text(reader.at("installed")).value_or("");
  agent.loaded = decode_text(reader.at("loaded")).value_or("");
  agent.licensed = is_true(reader.at("licensed"));
  agent.refuses_commands = is_true(reader.at("refusesCommands"));
  agent.refuses_files = is_true(reader.at("refusesFiles"));
  return agent;
}

HostFile::Domain decode_domain(const NamedValue& named) {
  HostFile::Domain domain;
  auto reader = named.value.mapping();
  domain.definition = decode_text(reader.required("definition")).value_or("");
  domain.live = decode_text(reader.at("live"));
  domain.running = is_true(reader.at("running"));
  domain.saved = is_true(reader.at("saved"));
  domain.autostart = is_true(reader.at("autostart"));
  if (const auto persistent = reader.at("persistent"))
    domain.persistent = persistent.boolean().value_or(true);
  domain.ignores_shutdown = is_true(reader.at("ignoresShutdown"));
  domain.refuses_detach = is_true(reader.at("refusesDetach"));
  domain.agent = decode_agent(reader.at("agent"));
  check_states(domain, named);
  check_name(domain.definition, named);
  if (domain.live) check_name(*domain.live, named);
  if (domain.live == domain.definition) domain.live.reset();
  return domain;
}

/// A domain may be named "unknown"; it has a definition.
bool is_error(const NamedValue& named) {
  if (named.name != "unknown" || !named.value) return false;
  return is_scalar(named.value) || named.value.node()->find("reason") != nullptr;
}

HostFile::Connection decode_connection(const Value& value) {
  HostFile::Connection connection;
  for (const auto& named : value.entries().value_or(std::vector<NamedValue>{})) {
    if (is_error(named)) {
      connection.unknown = decode_error(named.value);
    } else {
      connection.domains.emplace(named.name, decode_domain(named));
    }
  }
  if (connection.unknown && !connection.domains.empty()) {
    value.report(messages::malformed, "the domains are unknown, and yet there are some", "leave out unknown");
  }
  return connection;
}

}  // namespace

void decode_processes(const Value& value, HostFile& host) {
  for (const auto& [key, name, entry] : value.entries().value_or(std::vector<NamedValue>{})) {
    if (name == "unknown") {
      host.processes_unknown = decode_error(entry);
      continue;
    }
    const auto pid = name.starts_with('0') ? std::nullopt : parse_unsigned(name);
    if (pid && *pid <= largest_pid) {
      host.processes.emplace(static_cast<int>(*pid), decode_process(entry));
    } else {
      key.report(messages::malformed, fmt::format("'{}' is not the number of a process", name));
    }
  }
}

void decode_domains(const Value& value, HostFile& host) {
  for (const auto& [key, uri, connection] : value.entries().value_or(std::vector<NamedValue>{})) {
    host.domains.emplace(uri, decode_connection(connection));
  }
}

}  // namespace gpuhost
