#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "engine/disruption.hpp"
#include "engine/scope.hpp"

namespace gpuhost {

/// The command line, checked as far as that goes without looking at anything else.
struct Options {
  std::string verb;
  std::vector<std::string> files;  ///< -f, in order
  std::string host_file;           ///< --host; empty: none
  std::string host_out;            ///< --host-out; empty: none
  std::string root;                ///< --root; empty: the live machine
  std::string format = "text";
  std::string plan_file;      ///< saved plan that apply is given; empty: none
  std::string out;            ///< --out; empty: none
  std::string document;       ///< --document; empty: all
  std::string record;         ///< --record; empty: none
  bool guests = false;        ///< --guests
  std::string argument;       ///< which schema, catalog or shell; what to do with a fleet
  std::string directory;      ///< of a fleet
  std::string configuration;  ///< --configuration; empty: none
  std::vector<std::string> peer_files;
  std::string gpu;  ///< --gpu: a model; empty: all
  std::optional<Disruption> allow;
  Scope scope = Scope::all;
  bool detailed_exitcode = false;
  bool no_color = false;
  bool verbose = false;
  bool yes = false;
  bool reboot = false;
  bool no_rollback = false;
  bool skip_missing = false;  ///< --missing skip
  bool overdue = false;
  std::optional<std::chrono::seconds> confirm_within;  ///< --try

  /// Neither --host nor --root.
  [[nodiscard]] bool live() const { return host_file.empty() && root.empty(); }
};

/// The command line asks for no verb: what to print, and how to end.
struct Ending {
  ExitCode code = ExitCode::done;
  std::string output = {};
  std::string error = {};
};

/// Touches neither files nor host.
[[nodiscard]] std::expected<Options, Ending> parse_options(int argc, const char* const* argv);

}  // namespace gpuhost
