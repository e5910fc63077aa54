#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "host/commands.hpp"

namespace gpuhost {

/// The protocol of one guest's QEMU guest agent.
/// Source: QEMU Guest Agent Protocol Reference (qapi-schema of qga), 7.2.
class QemuAgent {
 public:
  /// Takes a command as JSON, gives the answer as JSON: {"return": …}. What the agent refuses is an error
  /// with its words.
  using Ask = std::function<Result<std::string>(const std::string& command, std::chrono::seconds limit)>;

  /// `guest`: what errors call it.
  QemuAgent(std::string guest, Ask ask) : guest_(std::move(guest)), ask_(std::move(ask)) {}

  /// As GuestAgents says.
  [[nodiscard]] Result<std::string> operating_system() const;
  [[nodiscard]] Result<std::string> read(const std::string& path) const;
  [[nodiscard]] Result<CommandResult> run(const Command& command) const;

 private:
  /// What is under "return". `about`: the file or program, for errors.
  [[nodiscard]] Result<Json> call(const char* name, Json arguments, const std::string& about) const;
  [[nodiscard]] Result<std::string> read_opened(const Json& handle, const std::string& path) const;

  std::string guest_;
  Ask ask_;
};

}  // namespace gpuhost
