#include "kinds/run_command.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

Result<void> run_to_success(CommandRunner& commands, const Command& command) {
  const std::string shown = join(command.argv, " ");
  auto result = commands.run(command);
  if (!result)
    return std::unexpected(std::move(result).error().within(fmt::format("cannot run '{}'", shown)));
  if (result->exit_code == 0) return {};
  const auto output = lines(trim(result->output));
  return fail(ErrorKind::io,
              fmt::format("'{}' ended with {}{}{}", shown, result->exit_code, output.empty() ? "" : ": ",
                          output.empty() ? std::string_view{} : output.back()),
              "run it by hand to see all of its output");
}

}  // namespace gpuhost
