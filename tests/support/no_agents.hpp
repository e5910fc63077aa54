#pragma once

#include "host/guest_agents.hpp"

namespace gpuhost::testing {

/// No guest has an agent.
struct NoAgents final : GuestAgents {
  using Text = const std::string&;
  Result<std::string> operating_system(Text, Text) override { return gone(); }
  Result<std::string> read(Text, Text, Text) override { return gone(); }
  Result<CommandResult> run(Text, Text, const Command&) override { return gone(); }

 private:
  static std::unexpected<Error> gone() { return fail(ErrorKind::unavailable, "no agent answers"); }
};

}  // namespace gpuhost::testing
