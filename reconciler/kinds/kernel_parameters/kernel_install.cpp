#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"
#include "kinds/kernel_parameters/loader_entries.hpp"
#include "kinds/kernel_parameters/loader_trial.hpp"

namespace gpuhost {

namespace {

constexpr const char* program = "/usr/bin/kernel-install";
constexpr const char* command_line_path = "/etc/kernel/cmdline";
constexpr const char* vendor_command_line_path = "/usr/lib/kernel/cmdline";
constexpr const char* running_command_line_path = "/proc/cmdline";
/// Where the ESP or XBOOTLDR partition is mounted, by systemd's habits (bootctl(1)).
constexpr std::array entries_directories{"/boot/loader/entries", "/efi/loader/entries",
                                         "/boot/efi/loader/entries"};

/// What kernel-install would put into an entry: its 90-loaderentry plugin reads the first of three files, and
/// leaves the boot loader's own words out of the last.
Result<CommandLine> configured_line(const HostView& host) {
  for (const auto* path : {command_line_path, vendor_command_line_path}) {
    auto text = host.files.read(path);
    if (text) return CommandLine(std::string(trim(*text)));
    if (text.error().kind != ErrorKind::not_found) return fail(std::move(text));
  }
  if (!host.running)
    return fail(ErrorKind::unsupported,
                fmt::format("there is no {}: kernel-install would take the command line of "
                            "whatever kernel runs it",
                            command_line_path),
                fmt::format("write {} in the image", command_line_path));
  const auto running = host.files.read(running_command_line_path);
  if (!running) return std::unexpected(running.error());
  return CommandLine(std::string(trim(*running))).with("BOOT_IMAGE", {}).with("initrd", {});
}

class KernelInstall final : public BootLoader {
 public:
  explicit KernelInstall(std::string directory) : directory_(std::move(directory)) {}

  BootSetup look(const HostView& host) const override {
    BootSetup setup{"systemd-boot", read_loader_entries(host.files, directory_), BootConfiguration{}};
    auto line = configured_line(host);
    if (line)
      setup.configuration->lines.push_back(std::move(*line));
    else
      setup.configuration = fail(std::move(line));
    setup.rebuild = add_commands(host.files);
    setup.entries_from_line = true;
    if (setup.entries) keep_rebuildable(*setup.entries, setup.rebuild);
    if (setup.entries && host.running) setup.trial = look_at_loader_trial(directory_, *setup.entries, host);
    if (!host.running)
      setup.rebuild_blocked = "commands do not run under --root; run kernel-install add-all in the image";
    else if (setup.rebuild.empty())
      setup.rebuild_blocked = "no kernel image is under /lib/modules or /boot; install a kernel";
    return setup;
  }

  Result<void> stage(const ParameterChange& change, Host& host) const override {
    const auto line = configured_line(host.view);
    if (!line) return std::unexpected(line.error());
    return host.files.replace(command_line_path, line->with(change.key, change.values).text() + "\n");
  }

  Result<void> set_trial(const std::string& text, bool to_come, Host& host) const override {
    const auto entries = look(host.view).entries;
    if (!entries) return std::unexpected(entries.error());
    return set_loader_trial(directory_, *entries, text, to_come, host);
  }

 private:
  /// Entries of kernels that are gone, which kernel-install cannot make again, are left as they are.
  static void keep_rebuildable(std::vector<BootEntry>& entries, const std::vector<Command>& commands) {
    const auto gone = [&](const BootEntry& entry) {
      return !entry.version.empty() && std::ranges::none_of(commands, [&](const Command& command) {
        return command.argv[2] == entry.version;
      });
    };
    if (!std::ranges::all_of(entries, gone)) std::erase_if(entries, gone);
  }

  static std::vector<Command> add_commands(const FileReader& files) {
    std::vector<Command> commands;
    const auto versions = files.list("/lib/modules");
    if (!versions) return commands;
    for (const auto& version : *versions)
      for (const auto& image : {"/lib/modules/" + version + "/vmlinuz", "/boot/vmlinuz-" + version})
        if (const auto there = files.exists(image); there && *there) {
          commands.push_back({{program, "add", version, image}});
          break;
        }
    return commands;
  }

  std::string directory_;
};

}  // namespace

std::unique_ptr<BootLoader> find_kernel_install(const HostView& host) {
  if (!may_exist(host.files, program)) return nullptr;
  for (const auto* directory : entries_directories)
    if (may_exist(host.files, directory)) return std::make_unique<KernelInstall>(directory);
  return nullptr;
}

}  // namespace gpuhost
