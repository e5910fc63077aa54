#include "host/sim/sim_guest_agents.hpp"

#include <fmt/format.h>

namespace gpuhost {

namespace {

/// In the agent's words, as libvirt passes them on.
std::unexpected<Error> disabled(const std::string& domain, const char* command) {
  return fail(ErrorKind::unsupported,
              fmt::format("the agent of guest {} does not answer {}: Command {} has been disabled", domain,
                          command, command),
              fmt::format("allow {} in the guest's configuration of qemu-guest-agent", command));
}

std::unexpected<Error> nothing(const std::string& path) {
  return fail(ErrorKind::not_found, fmt::format("no such file or directory in the guest: {}", path));
}

}  // namespace

Result<const HostFile::Agent*> SimGuestAgents::reach(const std::string& connection,
                                                     const std::string& domain) const {
  const auto of_connection = host_.domains.find(connection);
  if (of_connection == host_.domains.end() || of_connection->second.unknown)
    return fail(ErrorKind::unavailable, fmt::format("libvirt cannot be reached at {}", connection));
  const auto& domains = of_connection->second.domains;
  const auto found = domains.find(domain);
  if (found == domains.end()) return fail(ErrorKind::not_found, fmt::format("there is no domain {}", domain));
  if (!found->second.running || !found->second.agent)
    return fail(ErrorKind::unavailable, fmt::format("guest {} has no agent that answers", domain),
                "install qemu-guest-agent in it, and give its domain the channel org.qemu.guest_agent.0");
  return &*found->second.agent;
}

Result<std::string> SimGuestAgents::operating_system(const std::string& connection,
                                                     const std::string& domain) {
  const auto agent = reach(connection, domain);
  if (!agent) return std::unexpected(agent.error());
  return (*agent)->system;
}

Result<std::string> SimGuestAgents::read(const std::string& connection, const std::string& domain,
                                         const std::string& path) {
  const auto agent = reach(connection, domain);
  if (!agent) return std::unexpected(agent.error());
  if ((*agent)->refuses_files) return disabled(domain, "guest-file-open");
  const bool windows = (*agent)->system == "mswindows";
  if (path == "/sys/module/nvidia/version" && !windows && !(*agent)->loaded.empty())
    return (*agent)->loaded + "\n";
  return nothing(path);
}

Result<CommandResult> SimGuestAgents::run(const std::string& connection, const std::string& domain,
                                          const Command& command) {
  const auto agent = reach(connection, domain);
  if (!agent) return std::unexpected(agent.error());
  if ((*agent)->refuses_commands) return disabled(domain, "guest-exec");
  const auto& [system, installed, loaded, licensed, refuses_commands, refuses_files] = **agent;
  const auto& program = command.argv.front();
  const bool windows = system == "mswindows";
  if (program == "modinfo" && !windows) {
    if (installed.empty()) return CommandResult{1, "modinfo: ERROR: Module nvidia not found.\n"};
    return CommandResult{0, installed + "\n"};
  }
  if (installed.empty() || program != (windows ? "C:\\Windows\\System32\\nvidia-smi.exe" : "nvidia-smi"))
    return nothing(program);
  if (loaded.empty()) return CommandResult{9, "NVIDIA-SMI has failed because it couldn't communicate\n"};
  if (command.argv.back() == "-q")
    return CommandResult{
        0, fmt::format("    vGPU Software Licensed Product\n        License Status : {}\n",
                       licensed ? "Licensed (Expiry: 2026-12-1 0:0:0 GMT)" : "Unlicensed (Unrestricted)")};
  return CommandResult{0, loaded + "\n"};
}

}  // namespace gpuhost
