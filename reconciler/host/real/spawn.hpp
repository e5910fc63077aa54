#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

/// A program that was started, the leader of its own session and process group.
struct Spawned {
  pid_t pid = 0;
  UniqueFd handle;  ///< readable when it has ended (pidfd_open(2))
};

/// Starts a program with these descriptors for output and errors (-1: nowhere), no input, no other descriptor
/// of ours, no signal blocked or handled, the environment of commands, and / as its directory.
[[nodiscard]] Result<Spawned> spawn(const std::vector<std::string>& argv, int output, int errors);

/// Once its handle is readable: how it ended, as a shell tells it, 128 + N for signal N.
[[nodiscard]] int collect(pid_t pid);

}  // namespace gpuhost
