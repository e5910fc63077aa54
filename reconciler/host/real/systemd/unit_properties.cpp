#include "host/real/systemd/unit_properties.hpp"

#include "host/real/command_environment.hpp"

namespace gpuhost {

namespace {

using ExecCommand = sdbus::Struct<std::string, std::vector<std::string>, bool>;

/// systemd expands $VARIABLE in arguments; "$$" stands for a dollar. Source: systemd.service(5), "Command
/// lines".
std::vector<std::string> without_expansion(const std::vector<std::string>& argv) {
  std::vector<std::string> escaped;
  for (const auto& argument : argv) {
    auto& made = escaped.emplace_back();
    for (const char c : argument) made.append(c == '$' ? 2 : 1, c);
  }
  return escaped;
}

}  // namespace

std::uint64_t in_usec(std::chrono::seconds time) {
  return static_cast<std::uint64_t>(std::chrono::microseconds(time).count());
}

UnitProperty exec_start(const Command& command) {
  return property("ExecStart",
                  std::vector<ExecCommand>{{command.argv.front(), without_expansion(command.argv), false}});
}

UnitProperty command_environment() {
  return property("Environment", std::vector<std::string>{command_locale, command_path});
}

}  // namespace gpuhost
