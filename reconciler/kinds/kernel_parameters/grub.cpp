#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"
#include "kinds/kernel_parameters/grub_config.hpp"
#include "kinds/kernel_parameters/grub_defaults.hpp"
#include "kinds/kernel_parameters/grub_trial.hpp"

namespace gpuhost {

namespace {

constexpr const char* defaults_path = "/etc/default/grub";
constexpr const char* drop_in_directory = "/etc/default/grub.d";

/// A distribution's way of making grub.cfg.
struct Tool {
  const char* program;
  const char* config;
  /// Debian's grub-mkconfig reads grub.d among its defaults (a patch of its own); upstream's reads one file.
  const char* environment_editor;
  bool reads_drop_ins;
  bool takes_output;
};
constexpr std::array<Tool, 4> tools{{
    {"/usr/sbin/update-grub", "/boot/grub/grub.cfg", "/usr/bin/grub-editenv", true, false},
    {"/usr/sbin/grub2-mkconfig", "/boot/grub2/grub.cfg", "/usr/bin/grub2-editenv", false, true},
    {"/usr/bin/grub-mkconfig", "/boot/grub/grub.cfg", "/usr/bin/grub-editenv", false, true},
    {"/usr/sbin/grub-mkconfig", "/boot/grub/grub.cfg", "/usr/bin/grub-editenv", false, true},
}};

GrubTrialFiles trial_files(const Tool& tool) {
  const std::string_view config = tool.config;
  return {std::string(config.substr(0, config.rfind('/'))), tool.environment_editor};
}

Command command_of(const Tool& tool) {
  if (!tool.takes_output) return {{tool.program}};
  return {{tool.program, "-o", tool.config}};
}

class Grub final : public BootLoader {
 public:
  Grub(const Tool& tool, bool drop_in) : tool_(tool), drop_in_(drop_in) {}

  BootSetup look(const HostView& host) const override {
    BootSetup setup{"GRUB", std::vector<BootEntry>{}, configuration(host.files)};
    const auto config = host.files.read(tool_.config);
    if (config) {
      setup.entries = parse_grub_config(*config);
      if (host.running) setup.trial = look_at_grub_trial(trial_files(tool_), *config, host);
    } else if (config.error().kind == ErrorKind::not_found && !host.running) {
      setup.entries = entries_to_come(setup.configuration);
      return setup;
    } else {
      setup.entries = std::unexpected(config.error());
    }
    setup.rebuild.push_back(command_of(tool_));
    if (!host.running)
      setup.rebuild_blocked =
          "commands do not run under --root; run " + join(setup.rebuild.front().argv, " ") + " in the image";
    return setup;
  }

  Result<void> stage(const ParameterChange& change, Host& host) const override {
    if (drop_in_) return stage_in_drop_in(change, host);
    return edit_file(host, defaults_path, [&](const std::string& text) {
      return edit_grub_defaults(text, change.key, change.values);
    });
  }

  Result<void> set_trial(const std::string& text, bool to_come, Host& host) const override {
    return set_grub_trial(trial_files(tool_), text, to_come, host);
  }

 private:
  [[nodiscard]] Result<BootConfiguration> configuration(const FileReader& files) const {
    BootConfiguration found;
    if (drop_in_) {
      const auto text = files.read(GrubDropIn::path);
      if (!text && text.error().kind != ErrorKind::not_found) return std::unexpected(text.error());
      found.drop_in = text ? GrubDropIn::parse(*text) : GrubDropIn{};
    }
    if (const auto later = later_file(files); !later.empty())
      return fail(ErrorKind::unsupported,
                  fmt::format("{} is read after {} and sets the command line too", later, GrubDropIn::path),
                  "rename it so that it comes before, in byte order");
    auto line = command_line_of_others(files);
    // With a drop-in the rest need not be understood, only got out of the way.
    if (line) found.lines.push_back(std::move(*line));
    if (!line && !drop_in_) return fail(std::move(line));
    return found;
  }

  /// A file that has the last word; empty: none. One that cannot be read shows when its text is needed.
  [[nodiscard]] std::string later_file(const FileReader& files) const {
    const auto names = drop_in_ ? files.list(drop_in_directory) : std::vector<std::string>{};
    for (const auto& name : names.value_or(std::vector<std::string>{})) {
      const auto path = std::string(drop_in_directory) + "/" + name;
      if (!name.ends_with(".cfg") || path <= GrubDropIn::path) continue;
      if (files.read(path).value_or("").contains("GRUB_CMDLINE_LINUX")) return path;
    }
    return {};
  }

  [[nodiscard]] Result<CommandLine> command_line_of_others(const FileReader& files) const {
    std::vector<std::string> paths{defaults_path};
    if (drop_in_) {
      const auto names = files.list(drop_in_directory);
      if (!names && names.error().kind != ErrorKind::not_found) return std::unexpected(names.error());
      for (const auto& name : names ? *names : std::vector<std::string>{})
        if (name.ends_with(".cfg")) paths.push_back(std::string(drop_in_directory) + "/" + name);
    }
    std::vector<std::string> texts;
    for (const auto& path : paths) {
      if (path == GrubDropIn::path) continue;
      auto text = files.read(path);
      if (!text && text.error().kind != ErrorKind::not_found) return std::unexpected(text.error());
      if (text) texts.push_back(std::move(*text));
    }
    return grub_command_line(texts);
  }

  /// An image without grub.cfg gets one from the defaults when its boot loader is installed.
  static Result<std::vector<BootEntry>> entries_to_come(const Result<BootConfiguration>& configuration) {
    if (!configuration) return std::unexpected(configuration.error());
    if (configuration->lines.empty())
      return fail(ErrorKind::unsupported,
                  "cannot tell the command line that GRUB's defaults make: they need a shell");
    const auto& line = configuration->lines.front();
    const auto& drop_in = configuration->drop_in;
    return std::vector<BootEntry>{{"GRUB's defaults", drop_in ? drop_in->applied_to(line) : line}};
  }

  static Result<void> stage_in_drop_in(const ParameterChange& change, Host& host) {
    if (auto safe = check_shell_safe(change.key, change.values); !safe && !change.release) return safe;
    const auto text = host.view.files.read(GrubDropIn::path);
    if (!text && text.error().kind != ErrorKind::not_found) return std::unexpected(text.error());
    auto drop_in = text ? GrubDropIn::parse(*text) : GrubDropIn{};
    if (change.release)
      drop_in.erase(change.key);
    else
      drop_in.set(change.key, change.values);
    if (drop_in.empty()) return host.files.remove(GrubDropIn::path);
    return host.files.replace(GrubDropIn::path, drop_in.render());
  }

  const Tool& tool_;
  bool drop_in_;
};

}  // namespace

std::unique_ptr<BootLoader> find_grub(const HostView& host) {
  const bool grub_d = may_exist(host.files, drop_in_directory);
  for (const auto& tool : tools)
    // A leftover package without grub.cfg boots nothing; an image may get its grub.cfg later.
    if (may_exist(host.files, tool.program) && (!host.running || may_exist(host.files, tool.config)))
      return std::make_unique<Grub>(tool, tool.reads_drop_ins || grub_d);
  if (!host.running && (grub_d || may_exist(host.files, defaults_path)))
    return std::make_unique<Grub>(tools.front(), true);
  return nullptr;
}

}  // namespace gpuhost
