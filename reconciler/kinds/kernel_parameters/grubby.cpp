#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"
#include "kinds/kernel_parameters/grub_defaults.hpp"
#include "kinds/kernel_parameters/loader_entries.hpp"
#include "kinds/run_command.hpp"

namespace gpuhost {

namespace {

constexpr const char* program = "/usr/sbin/grubby";
constexpr const char* entries_directory = "/boot/loader/entries";
constexpr const char* environment_path = "/boot/grub2/grubenv";
/// Where kernels installed later take their command line from; grubby changes the entries of the present
/// ones.
constexpr const char* defaults_path = "/etc/default/grub";
constexpr const char* command_line_path = "/etc/kernel/cmdline";

class Grubby final : public BootLoader {
 public:
  BootSetup look(const HostView& host) const override {
    return {"GRUB with grubby", entries(host.files), configuration(host.files)};
  }

  Result<void> stage(const ParameterChange& change, Host& host) const override {
    // Files first: the entries are what the next look goes by, so that a step cut short is found unfinished.
    if (may_exist(host.view.files, defaults_path)) {
      auto edited = edit_file(host, defaults_path, [&](const std::string& text) {
        return edit_grub_defaults(text, change.key, change.values);
      });
      if (!edited) return edited;
    }
    if (may_exist(host.view.files, command_line_path))
      if (auto edited = edit_command_line_file(host, command_line_path, change); !edited) return edited;
    return change_entries(change, host.commands);
  }

 private:
  static Result<std::vector<BootEntry>> entries(const FileReader& files) {
    const auto environment = files.read(environment_path);
    if (!environment && environment.error().kind != ErrorKind::not_found)
      return std::unexpected(environment.error());
    return read_loader_entries(files, entries_directory, parse_grub_environment(environment.value_or("")));
  }

  static Result<BootConfiguration> configuration(const FileReader& files) {
    BootConfiguration found;
    if (const auto text = files.read(defaults_path)) {
      auto line = grub_command_line(std::array{*text});
      if (!line) return fail(std::move(line));
      found.lines.push_back(std::move(*line));
    } else if (text.error().kind != ErrorKind::not_found) {
      return std::unexpected(text.error());
    }
    if (const auto text = files.read(command_line_path)) {
      found.lines.emplace_back(*text);
    } else if (text.error().kind != ErrorKind::not_found) {
      return std::unexpected(text.error());
    }
    return found;
  }

  /// Two calls: that removals come first within one call is not documented.
  static Result<void> change_entries(const ParameterChange& change, CommandRunner& commands) {
    const std::string name = underscored(change.key);
    std::string dashed = name;
    std::ranges::replace(dashed, '_', '-');
    const auto removed = dashed == name ? name : name + " " + dashed;
    if (auto done = run_to_success(commands, {{program, "--update-kernel=ALL", "--remove-args=" + removed}});
        !done)
      return done;
    if (change.values.empty()) return {};
    return run_to_success(
        commands, {{program, "--update-kernel=ALL", "--args=" + words_for(change.key, change.values)}});
  }
};

}  // namespace

std::unique_ptr<BootLoader> find_grubby(const HostView& host) {
  if (!may_exist(host.files, program)) return nullptr;
  const auto entries = host.files.list(entries_directory);
  const bool none = entries ? entries->empty() : entries.error().kind == ErrorKind::not_found;
  return none ? nullptr : std::make_unique<Grubby>();
}

}  // namespace gpuhost
