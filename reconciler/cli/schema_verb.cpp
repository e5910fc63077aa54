#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/embedded_schemas.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

ExitCode run_schema(const Options& options) {
  const std::string wanted = options.argument.empty() ? "document" : options.argument;
  std::vector<std::string> names;
  for (const auto& schema : embedded_schemas()) {
    if (schema.name == wanted) {
      print(schema.text);
      return ExitCode::done;
    }
    names.emplace_back(schema.name);
  }
  const auto near = suggest(wanted, names);
  return report({ErrorKind::invalid, fmt::format("unknown schema '{}'", wanted),
                 near ? fmt::format("did you mean '{}'?", *near) : "one of: " + join(names, ", ")},
                ExitCode::usage);
}

}  // namespace gpuhost
