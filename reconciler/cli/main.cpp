#include <array>
#include <exception>
#include <string>
#include <utility>

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

namespace {

struct Verb {
  std::string_view name;
  ExitCode (*run)(const Options&);
};

constexpr std::array<Verb, 15> verbs{{{"validate", run_validate},
                                      {"observe", run_observe},
                                      {"export", run_export},
                                      {"plan", run_plan},
                                      {"apply", run_apply},
                                      {"confirm", run_confirm},
                                      {"verify", run_verify},
                                      {"release", run_release},
                                      {"recover", run_recover},
                                      {"status", run_status},
                                      {"import", run_import},
                                      {"fleet", run_fleet},
                                      {"catalog", run_catalog},
                                      {"schema", run_schema},
                                      {"completion", run_completion}}};

ExitCode run(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv);
  start_logging(options && options->verbose);
  if (!options) {
    print(options.error().output);
    print_error(options.error().error);
    return options.error().code;
  }
  for (const auto& verb : verbs)
    if (verb.name == options->verb) return verb.run(*options);
  return ExitCode::usage;
}

/// A full disk or a closed pipe must not look like success.
ExitCode flushed(ExitCode code) {
  if (flush_output() || code != ExitCode::done) return code;
  return report({ErrorKind::io, "cannot write to standard output"});
}

}  // namespace

}  // namespace gpuhost

int main(int argc, char** argv) {
  using namespace gpuhost;
  try {
    return std::to_underlying(flushed(run(argc, argv)));
  } catch (const std::exception& bug) {
    return std::to_underlying(report({ErrorKind::io, std::string("internal error: ") + bug.what()}));
  }
}
