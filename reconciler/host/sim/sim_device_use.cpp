#include "host/sim/sim_device_use.hpp"

#include <fmt/core.h>

namespace gpuhost {

std::optional<NodeUse> use_of(const NodeUsers& users, const std::string& node) {
  auto processes = users(node);
  if (processes.empty()) return std::nullopt;
  return NodeUse{node, std::move(processes.front())};
}

std::unexpected<Error> never_returns(const std::string& request, const NodeUse& use) {
  return fail(
      ErrorKind::timed_out,
      fmt::format("cannot {}: the kernel would wait for ever, past every signal, while {} ({}) has {} "
                  "open",
                  request, use.process.name, use.process.pid, use.node),
      "end that use first");
}

}  // namespace gpuhost
