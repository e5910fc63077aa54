#include "host/real/command_environment.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

namespace gpuhost {

Result<void> check_program(const std::string& program) {
  if (!program.starts_with('/'))
    return fail(ErrorKind::invalid, fmt::format("program '{}' is no absolute path", program));
  if (::access(program.c_str(), X_OK) == 0) return {};
  return std::unexpected(system_error(errno, "run", program));
}

void keep_tail(std::string& output) {
  if (output.size() > command_output_limit) output.erase(0, output.size() - command_output_limit);
}

}  // namespace gpuhost
