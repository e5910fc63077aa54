#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/commands.hpp"

namespace gpuhost {

/// The QEMU guest agents of running guests. Whoever asks one runs code in the guest, over a connection that
/// may change it: planning never does. What a guest says is its own word: text of any kind, bounded in size.
///
/// unavailable: the guest has no agent, or it does not answer in time. unsupported: its agent is told not to
/// do this, as RHEL's is by default for commands and files.
class GuestAgents {
 public:
  virtual ~GuestAgents() = default;
  /// The system's id: "debian", "rhel", "mswindows". Source: QEMU guest agent protocol, guest-get-osinfo.
  [[nodiscard]] virtual Result<std::string> operating_system(const std::string& connection,
                                                             const std::string& domain) = 0;
  /// The first 64 KiB of a file in the guest. not_found: there is no such file.
  [[nodiscard]] virtual Result<std::string> read(const std::string& connection, const std::string& domain,
                                                 const std::string& path) = 0;
  /// Runs a program of the guest to its end; argv[0] is a path there. not_found: there is no such program;
  /// timed_out: it runs on in the guest.
  virtual Result<CommandResult> run(const std::string& connection, const std::string& domain,
                                    const Command& command) = 0;
};

}  // namespace gpuhost
