#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/processes.hpp"

namespace gpuhost {

/// Answers who has a device node open.
using NodeUsers = std::function<std::vector<Process>(const std::string& node)>;

struct NodeUse {
  std::string node;
  Process process;
};

/// The first process that has the node open.
[[nodiscard]] std::optional<NodeUse> use_of(const NodeUsers& users, const std::string& node);

/// For a request that the kernel would keep waiting until the device is let go of, past every signal.
/// Source: vfio_unregister_group_dev() in drivers/vfio/vfio_main.c, which waits uninterruptibly once it was
/// told to.
[[nodiscard]] std::unexpected<Error> never_returns(const std::string& request, const NodeUse& use);

}  // namespace gpuhost
