#include "cli/options.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/text.hpp"

namespace gpuhost {

namespace {

/// What a verb takes.
struct VerbSyntax {
  const char* name;
  const char* description;
  bool documents;
  bool host;
  std::string_view formats;  ///< "text json"; empty: no -o
  const char* examples;
};

constexpr auto verbs = std::to_array<VerbSyntax>(
    {{"validate", "check documents, offline and without privileges", true, false, "text json",
      "  gpuhost validate -f host.yaml\n  gpuhost validate -f common.yaml -f host.d/"},
     {"observe", "print the host", false, true, "text json",
      "  gpuhost observe\n  gpuhost observe --record this-host.yaml\n  gpuhost observe --guests"},
     {"export", "write a document that says what the host is now", false, true, "",
      "  gpuhost export > host.yaml"},
     {"plan", "say what apply would do; changes nothing", true, true, "text json markdown dot svg",
      "  gpuhost plan -f host.yaml\n  gpuhost plan -f host.yaml --host recorded.yaml -o json\n"
      "  gpuhost plan -f host.yaml --out reviewed.plan && gpuhost apply reviewed.plan\n"
      "  gpuhost plan -f host.yaml -o svg > plan.svg"},
     {"apply", "make the host as the document says", true, true, "text json",
      "  gpuhost apply -f host.yaml\n  gpuhost apply -f host.yaml --yes --allow stop-units\n"
      "  gpuhost apply -f host.yaml --host recorded.yaml --host-out after.yaml --reboot --yes"},
     {"confirm", "keep what 'apply --try' has applied", false, true, "text json",
      "  gpuhost apply -f host.yaml --try 10m && gpuhost confirm"},
     {"verify", "is the host as the document says, field by field", true, true, "text json",
      "  gpuhost verify -f host.yaml"},
     {"release", "give back what gpuhost owns, as it was before", false, true, "text json",
      "  gpuhost release --allow stop-units\n  gpuhost release --document kvm-gpu-07 --yes"},
     {"recover", "undo what an interrupted run has done, and start again what it had stopped", false, true,
      "text json", "  gpuhost recover\n  gpuhost recover --host recorded.yaml"},
     {"status", "conditions, last run, pending reboot, lock holder", false, true, "text json",
      "  gpuhost status --detailed-exitcode"},
     {"import", "write a document from the configuration of another tool", false, true, "",
      "  gpuhost import mig-parted config.yaml --configuration all-balanced > host.yaml\n"
      "  gpuhost import mdevctl /etc/mdevctl.d/*/*\n  gpuhost import nova /etc/nova/nova.conf"},
     {"fleet", "plan the documents of a directory against its recorded hosts", false, false, "text json",
      "  gpuhost fleet plan fleet/\n  gpuhost fleet plan fleet/ --detailed-exitcode -o json"},
     {"catalog", "what is known of drivers and GPUs, off-host", false, false, "text json",
      "  gpuhost catalog releases\n  gpuhost catalog vgpu-types --gpu A40\n"
      "  gpuhost catalog mig-profiles --gpu A100D -o json"},
     {"schema", "print a JSON Schema: document, plan, saved-plan, host or local", false, false, "",
      "  gpuhost schema document > document.schema.json"},
     {"completion", "print the completions of a shell: bash", false, false, "",
      "  gpuhost completion bash > /etc/bash_completion.d/gpuhost"}});

std::vector<std::string> formats_of(const VerbSyntax& verb) {
  const auto formats = words(verb.formats);
  return {formats.begin(), formats.end()};
}

constexpr std::chrono::seconds shortest_trial{1};
constexpr std::chrono::hours longest_trial{24};

template <class Words>
bool one_of(std::string_view word, const Words& words) {
  return std::ranges::find(words, word) != std::ranges::end(words);
}

Ending misuse(std::string text) {
  return {ExitCode::usage, {}, fmt::format("gpuhost: error: {}\n", escape_for_terminal(text))};
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const auto near = suggest(word, candidates);
  return near ? fmt::format(" (did you mean '{}'?)", *near) : std::string();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

Ending unknown_verb(const std::string& word) {
  std::vector<std::string> names;
  for (const auto& verb : verbs) names.emplace_back(verb.name);
  return misuse(fmt::format("unknown verb '{}'{}; see gpuhost --help", word, did_you_mean(word, names)));
}

Ending unknown_argument(const std::string& word, const CLI::App& verb) {
  if (!word.starts_with("-")) {
    return misuse(
        fmt::format("'{}' takes no argument '{}'; documents are given with -f", verb.get_name(), word));
  }
  const auto name = word.substr(0, word.find('='));
  return misuse(fmt::format("unknown option '{}' of '{}'{}", name, verb.get_name(),
                            did_you_mean(name, option_names(verb))));
}

/// The words that CLI11 does not check.
struct Words {
  std::string allow;
  std::string missing = "refuse";
  std::string scope = "all";
  std::string confirm_within;
};

/// Before the verb or after it.
void add_common_flags(CLI::App& app, Options& options) {
  app.add_flag("--no-color", options.no_color, "no colours, whatever the terminal");
  app.add_flag("-v,--verbose", options.verbose, "say more");
}

void add_host_options(CLI::App& app, Options& options) {
  auto* host = app.add_option("--host", options.host_file, "a recorded host in place of the live one")
                   ->type_name("FILE");
  app.add_option("--root", options.root, "read and write files under this directory")
      ->type_name("DIR")
      ->excludes(host);
}

void add_host_out(CLI::App& app, Options& options) {
  app.add_option("--host-out", options.host_out, "write the host after the run here instead of back")
      ->type_name("FILE")
      ->needs(app.get_option("--host"));
}

/// Of the verbs that run steps.
void add_run_options(CLI::App& app, Options& options) {
  app.add_flag("--yes", options.yes, "do not ask");
  app.add_flag("--reboot", options.reboot,
               "restart the host where the plan needs it and the policy allows it");
  app.add_flag("--no-rollback", options.no_rollback, "leave what a failed run has done");
}

void add_apply_options(CLI::App& app, Options& options, Words& words) {
  add_run_options(app, options);
  auto* plan =
      app.add_option("plan", options.plan_file, "a plan saved by 'plan --out', in place of documents")
          ->excludes(app.get_option("--file"))
          ->excludes(app.get_option("--missing"))
          ->excludes(app.get_option("--scope"));
  app.add_option("--allow", words.allow, "lower the disruption that the policy allows")
      ->type_name("LEVEL")
      ->excludes(plan);
  app.add_option("--try", words.confirm_within,
                 "undo it after this time unless 'gpuhost confirm' comes first")
      ->type_name("DURATION")
      ->excludes(app.get_option("--no-rollback"))
      ->excludes(app.get_option("--scope"));
}

void add_release_options(CLI::App& app, Options& options, Words& words) {
  add_run_options(app, options);
  app.add_option("--document", options.document, "only what this document owns")->type_name("NAME");
  app.add_option("--allow", words.allow, "the most disruption that it may cause (default: none)")
      ->type_name("LEVEL");
}

void add_verb(CLI::App& app, const VerbSyntax& verb, Options& options, Words& words) {
  auto& sub = *app.add_subcommand(verb.name, verb.description);
  sub.footer(fmt::format("Examples:\n{}", verb.examples));
  sub.allow_extras();
  if (verb.documents)
    sub.add_option("-f,--file", options.files, "document, or directory of documents; repeatable")
        ->type_name("FILE")
        ->allow_extra_args(false);
  if (verb.host) add_host_options(sub, options);
  if (!verb.formats.empty())
    sub.add_option("-o,--output", options.format, join(formats_of(verb), ", "))->type_name("FORMAT");
  const std::string_view name = verb.name;
  if (name == "plan" || name == "fleet" || name == "status")
    sub.add_flag("--detailed-exitcode", options.detailed_exitcode,
                 name == "status" ? "exit 3 if a reboot is pending" : "exit 2 if there is something to do");
  if (name == "plan" || name == "fleet" || name == "apply" || name == "verify")
    sub.add_option("--missing", words.missing, "what to do about GPUs that are not there: refuse, skip");
  if (name == "plan" || name == "apply" || name == "verify")
    sub.add_option(
           "--scope", words.scope,
           "runtime: what a boot has lost (functions, vGPUs, bindings); devices: that without libvirt")
        ->type_name("SCOPE");
  if (name == "apply" || name == "confirm" || name == "release" || name == "recover")
    add_host_out(sub, options);
  if (name == "apply") add_apply_options(sub, options, words);
  if (name == "release") add_release_options(sub, options, words);
  if (name == "recover")
    sub.add_flag("--overdue", options.overdue, "leave alone what may still be confirmed");
  if (name == "plan")
    sub.add_option("--out", options.out, "save the plan for 'apply PLAN'; it can be used once")
        ->type_name("PLAN")
        ->excludes(sub.get_option("--scope"));
  if (name == "observe") {
    sub.add_option("--record", options.record, "write a host file")->type_name("FILE");
    sub.add_flag("--guests", options.guests,
                 "ask the agents of running guests which driver they have, and keep it");
  }
  if (name == "schema")
    sub.add_option("name", options.argument, "document, plan, saved-plan, host or local")
        ->default_str("document");
  if (name == "fleet") {
    sub.add_option("action", options.argument, "plan")->required();
    sub.add_option("directory", options.directory, "of documents and host files, in any order and depth")
        ->required();
  }
  if (name == "import") {
    sub.add_option("tool", options.argument, "mig-parted, vgpu-device-manager, mdevctl, driverctl or nova")
        ->required();
    sub.add_option("files", options.peer_files, "its configuration")->required();
    sub.add_option("--configuration", options.configuration, "which one of those that the files name")
        ->type_name("NAME");
  }
  if (name == "catalog") {
    sub.add_option("table", options.argument, "releases, vgpu-types or mig-profiles")->required();
    sub.add_option("--gpu", options.gpu, "only of this model: A40, \"NVIDIA A40\"")->type_name("MODEL");
  }
  if (name == "completion") sub.add_option("shell", options.argument, "bash")->required();
  add_common_flags(sub, options);
}

/// An empty value is a variable that was not set; taken for "not given", it would mean the live host.
std::optional<Ending> check_values(const CLI::App& verb) {
  for (const auto* option : verb.get_options()) {
    const bool empty = std::ranges::any_of(option->results(), &std::string::empty);
    if (empty && option->get_expected_max() > 0)
      return misuse(fmt::format("'{}' has an empty value", option->get_name(false, true)));
  }
  return std::nullopt;
}

std::optional<Ending> check_words(const VerbSyntax& verb, Options& options, const Words& words) {
  const auto formats = formats_of(verb);
  if (!formats.empty() && !one_of(options.format, formats))
    return misuse(fmt::format("unknown output format '{}' of '{}'{}; one of: {}", options.format, verb.name,
                              did_you_mean(options.format, formats), join(formats, ", ")));
  if (words.missing != "skip" && words.missing != "refuse")
    return misuse(fmt::format("--missing takes 'refuse' or 'skip', not '{}'", words.missing));
  options.skip_missing = words.missing == "skip";
  const auto scope = parse_scope(words.scope);
  if (!scope)
    return misuse(fmt::format("--scope takes {}, not '{}'", fmt::join(scope_words, ", "), words.scope));
  options.scope = *scope;
  if (!words.allow.empty()) {
    options.allow = parse_disruption(words.allow);
    const std::vector<std::string> levels(disruption_words.begin(), disruption_words.end());
    if (!options.allow)
      return misuse(fmt::format("unknown level '{}' of --allow{}; one of: {}", words.allow,
                                did_you_mean(words.allow, levels), join(levels, ", ")));
  }
  if (!words.confirm_within.empty()) {
    options.confirm_within = parse_duration(words.confirm_within);
    if (!options.confirm_within || *options.confirm_within < shortest_trial ||
        *options.confirm_within > longest_trial)
      return misuse(
          fmt::format("--try takes 1s to 24h, written as 180s, 3m or 1h, not '{}'", words.confirm_within));
  }
  if (options.reboot && !options.root.empty())
    return misuse("--reboot cannot go with --root: nothing runs in a directory");
  return std::nullopt;
}

constexpr const char* overview =
    "Examples:\n"
    "  gpuhost validate -f host.yaml\n"
    "  gpuhost plan -f host.yaml\n"
    "  gpuhost apply -f host.yaml\n"
    "  gpuhost plan -f host.yaml --host recorded.yaml\n"
    "\n"
    "gpuhost VERB --help says more about each verb.\n";

std::expected<Options, Ending> checked(CLI::App& app, Options& options, const Words& words) {
  const auto chosen = app.get_subcommands();
  const auto stray = app.remaining();
  if (chosen.empty() || !stray.empty()) {
    if (stray.empty()) return std::unexpected(Ending{ExitCode::usage, {}, app.help()});
    if (stray.front().starts_with("-"))
      return std::unexpected(misuse(fmt::format("unknown option '{}'{}", stray.front(),
                                                did_you_mean(stray.front(), option_names(app)))));
    return std::unexpected(unknown_verb(stray.front()));
  }
  const auto& sub = *chosen.front();
  if (const auto rest = sub.remaining(); !rest.empty())
    return std::unexpected(unknown_argument(rest.front(), sub));
  if (auto wrong = check_values(sub)) return std::unexpected(std::move(*wrong));
  options.verb = sub.get_name();
  const auto syntax =
      std::ranges::find_if(verbs, [&](const auto& verb) { return options.verb == verb.name; });
  if (auto wrong = check_words(*syntax, options, words)) return std::unexpected(std::move(*wrong));
  return options;
}

}  // namespace

std::expected<Options, Ending> parse_options(int argc, const char* const* argv) {
  Options options;
  Words words;
  CLI::App app("Makes a Linux KVM GPU host what one YAML document says.", "gpuhost");
  app.footer(overview);
  app.allow_extras();
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "gpuhost " GPUHOST_VERSION);
  add_common_flags(app, options);
  for (const auto& verb : verbs) add_verb(app, verb, options, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    if (const auto stray = app.remaining(); chosen.empty() && !stray.empty())
      return std::unexpected(unknown_verb(stray.front()));
    return std::unexpected(Ending{ExitCode::done, chosen.empty() ? app.help() : chosen.front()->help(), {}});
  } catch (const CLI::CallForVersion& version) {
    return std::unexpected(Ending{ExitCode::done, fmt::format("{}\n", version.what()), {}});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(misuse(error.what()));
  }
  return checked(app, options, words);
}

}  // namespace gpuhost
