#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// An external program as an argument list; no shell is ever involved. Runs with LC_ALL=C, an otherwise empty
/// environment but for PATH, / as its directory, and no standard input.
struct Command {
  std::vector<std::string> argv;  ///< argv[0] is an absolute path
  std::chrono::seconds limit{300};
};

struct CommandResult {
  int exit_code = 0;
  std::string output;  ///< standard output and error as they came, at most the last 64 KiB
};

/// Runs a command to its end. A program that ends with another code than 0 is a result, not an error.
/// not_found: no such program; timed_out: ended by us after its limit; unavailable: it cannot be run here.
class CommandRunner {
 public:
  virtual ~CommandRunner() = default;
  virtual Result<CommandResult> run(const Command& command) = 0;
};

}  // namespace gpuhost
