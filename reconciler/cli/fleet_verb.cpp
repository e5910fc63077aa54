#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/planning.hpp"
#include "cli/trusted_file.hpp"
#include "cli/verbs.hpp"
#include "document/yaml.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_host.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"
#include "render/plan_summary.hpp"

namespace gpuhost {

namespace {

namespace fs = std::filesystem;

struct FleetDocument {
  Source source;
  std::string name;
  bool has_host = false;  ///< some host of the fleet is meant by it
};

struct FleetHost {
  std::string path;
  HostFile file;
};

/// What a directory holds, each in byte order of the paths.
struct Fleet {
  std::vector<FleetDocument> documents;
  std::vector<FleetHost> hosts;
};

/// One document planned for one host that it means.
struct FleetPlan {
  std::string path;  ///< of the document
  std::string name;
  std::optional<Plan> plan;  ///< nothing: it could not be planned, and the user was told why
  ExitCode code = ExitCode::done;
};

struct PlannedHost {
  std::string path;
  HostIdentity identity;
  std::vector<FleetPlan> plans;
};

Result<std::set<std::string>> yaml_files_under(const std::string& directory) {
  std::set<std::string> paths;
  std::error_code code;
  for (fs::recursive_directory_iterator entry(directory, code), end; !code && entry != end;
       entry.increment(code)) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (hidden && entry->is_directory(code)) entry.disable_recursion_pending();
    const auto extension = entry->path().extension();
    if (!hidden && (extension == ".yaml" || extension == ".yml")) paths.insert(entry->path().string());
  }
  if (code) return std::unexpected(system_error(code.value(), "list", directory));
  if (paths.empty())
    return fail(ErrorKind::not_found, fmt::format("cannot use {}: it holds no *.yaml or *.yml", directory));
  return paths;
}

bool is_host_file(const std::optional<Node>& file) {
  const auto* kind = file ? file->find("kind") : nullptr;
  return kind != nullptr && kind->text == "Host";
}

/// Takes a file in for what its `kind` says it is; its problems otherwise.
std::optional<std::string> problems_of(Source source, Fleet& fleet) {
  Diagnostics diagnostics;
  const auto index = diagnostics.add_source(source);
  Diagnostics syntax = diagnostics;
  if (is_host_file(parse_yaml(index, syntax, host_file_limits))) {
    auto host = decode_host_file(index, diagnostics);
    if (!host) return diagnostics.render();
    fleet.hosts.push_back({source.name, std::move(*host)});
    return std::nullopt;
  }
  auto document = decode_document(diagnostics);
  if (!document) return diagnostics.render();
  fleet.documents.push_back({std::move(source), std::move(document->desired.name)});
  return std::nullopt;
}

OrExit<Fleet> read_fleet(const std::string& directory) {
  const auto paths = yaml_files_under(directory);
  if (!paths) return std::unexpected(report(paths.error(), ExitCode::invalid_document));
  Fleet fleet;
  std::optional<ExitCode> invalid;
  for (const auto& path : *paths) {
    auto text = read_file(path, host_file_limits.bytes);
    if (!text) {
      invalid = report(text.error(), ExitCode::invalid_document);
    } else if (const auto problems = problems_of({path, std::move(*text)}, fleet)) {
      print_error(*problems);
      invalid = ExitCode::invalid_document;
    }
  }
  if (invalid) return std::unexpected(*invalid);
  return fleet;
}

ExitCode code_of(const Plan& plan, const Options& options) {
  if (!plan.applyable()) return ExitCode::not_applyable;
  return options.detailed_exitcode && !plan.empty() ? ExitCode::differs : ExitCode::done;
}

/// Nothing: the document does not mean this host. A document is decoded for each host, since planning holds
/// it to the limits of that host.
std::optional<FleetPlan> planned(FleetDocument& from, const HostIdentity& identity, const HostView& host,
                                 const Options& options) {
  Diagnostics diagnostics;
  diagnostics.add_source(from.source);
  auto document = decode_document(diagnostics, options.skip_missing);
  if (!document || !is_meant_for(*document, identity)) return std::nullopt;
  from.has_host = true;
  FleetPlan result{.path = from.source.name, .name = from.name};
  auto plan = plan_document(*document, host);
  result.code = plan ? code_of(*plan, options) : plan.error();
  if (plan)
    result.plan = std::move(*plan);
  else
    log_warning(fmt::format("document {} is not planned for host {}", from.source.name, identity.name));
  return result;
}

PlannedHost planned(FleetHost host, std::vector<FleetDocument>& documents, const Options& options) {
  const SimHost recorded(std::move(host.file));
  const auto view = recorded.view();
  PlannedHost result{.path = std::move(host.path), .identity = HostIdentity::read(view.files)};
  for (auto& document : documents)
    if (auto plan = planned(document, result.identity, view, options))
      result.plans.push_back(*std::move(plan));
  return result;
}

/// What is in the way of a plan, each thing once.
std::vector<std::string> hindrances(const Plan& plan) {
  std::vector<std::string> all;
  const auto add = [&](const std::string& text) {
    if (std::ranges::find(all, text) == all.end()) all.push_back(text);
  };
  for (const auto& note : plan.notes)
    if (note.severity == Note::Severity::error)
      add(note.address.empty() ? note.message : fmt::format("{}: {}", note.address, note.message));
  for (const auto& step : plan.steps)
    for (const auto& reason : step.step.blocked_by)
      add(fmt::format("{}: {}", step.step.action.address, reason));
  return all;
}

std::string text_of(const FleetPlan& planned) {
  auto text =
      fmt::format("  {} ({}): ", escape_for_terminal(planned.name), escape_for_terminal(planned.path));
  if (!planned.plan) return text + "not planned, as told above\n";
  const auto& plan = *planned.plan;
  text += fmt::format("{}{}\n", plan.applyable() ? "" : "not applyable: ", summary_text(plan));
  if (plan.applyable()) return text;
  for (const auto& hindrance : hindrances(plan))
    text += fmt::format("    {}\n", escape_for_terminal(hindrance));
  return text;
}

std::string text_of(const PlannedHost& host) {
  auto text = fmt::format("{}, {}\n", host_text(host.identity), escape_for_terminal(host.path));
  for (const auto& plan : host.plans) text += text_of(plan);
  return text + (host.plans.empty() ? "  no document is for it\n\n" : "\n");
}

std::string last_line(const std::vector<PlannedHost>& hosts) {
  std::map<std::string_view, std::size_t> counts;
  std::size_t plans = 0;
  for (const auto& host : hosts)
    for (const auto& planned : host.plans) {
      ++plans;
      ++counts[!planned.plan                ? "not planned"
               : !planned.plan->applyable() ? "not applyable"
               : planned.plan->empty()      ? "in sync"
                                            : "with something to do"];
    }
  std::vector<std::string> parts;
  for (const auto& [what, count] : counts) parts.push_back(fmt::format("{} {}", count, what));
  return fmt::format("Fleet: {}, {}{}{}.\n", counted(hosts.size(), "host"), counted(plans, "plan"),
                     parts.empty() ? "" : ": ", join(parts, ", "));
}

std::string fleet_text(const std::vector<PlannedHost>& hosts, const std::vector<FleetDocument>& documents) {
  std::string text;
  for (const auto& host : hosts) text += text_of(host);
  for (const auto& document : documents)
    if (!document.has_host)
      text += fmt::format("{} ({}): no recorded host is meant by it\n", escape_for_terminal(document.name),
                          escape_for_terminal(document.source.name));
  return text + last_line(hosts);
}

Json fleet_json(const std::vector<PlannedHost>& hosts, const std::vector<FleetDocument>& documents) {
  Json all = Json::array();
  for (const auto& host : hosts) {
    Json plans = Json::array();
    for (const auto& planned : host.plans)
      plans.push_back({{"file", planned.path},
                       {"name", planned.name},
                       {"exit_code", std::to_underlying(planned.code)},
                       {"plan", planned.plan ? plan_json(*planned.plan) : Json(nullptr)}});
    all.push_back({{"file", host.path}, {"host", host_json(host.identity)}, {"plans", std::move(plans)}});
  }
  Json without_host = Json::array();
  for (const auto& document : documents)
    if (!document.has_host) without_host.push_back({{"file", document.source.name}, {"name", document.name}});
  return {{"format_version", 1}, {"hosts", std::move(all)}, {"without_host", std::move(without_host)}};
}

/// Of the first plan, in order, that does not end well; a difference counts only if all others do.
ExitCode combined_code(const std::vector<PlannedHost>& hosts) {
  auto code = ExitCode::done;
  for (const auto& host : hosts)
    for (const auto& plan : host.plans)
      if (code == ExitCode::done || code == ExitCode::differs)
        if (plan.code != ExitCode::done) code = plan.code;
  return code;
}

}  // namespace

ExitCode run_fleet(const Options& options) {
  if (options.argument != "plan")
    return report({ErrorKind::invalid, fmt::format("unknown action '{}' of 'fleet'", options.argument),
                   "there is 'fleet plan DIR'"},
                  ExitCode::usage);
  auto fleet = read_fleet(options.directory);
  if (!fleet) return fleet.error();
  std::vector<PlannedHost> hosts;
  for (auto& host : fleet->hosts) hosts.push_back(planned(std::move(host), fleet->documents, options));
  print(options.format == "json" ? json_text(fleet_json(hosts, fleet->documents))
                                 : fleet_text(hosts, fleet->documents));
  return combined_code(hosts);
}

}  // namespace gpuhost
