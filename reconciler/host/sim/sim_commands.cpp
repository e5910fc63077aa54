#include "host/sim/sim_commands.hpp"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/grub_menu.hpp"
#include "host/sim/grub_shell.hpp"
#include "host/sim/kernel_words.hpp"
#include "host/sim/loader_config.hpp"

namespace gpuhost {

namespace {

constexpr const char* grub_defaults = "/etc/default/grub";
constexpr const char* grub_defaults_directory = "/etc/default/grub.d";
constexpr const char* kernel_cmdline = "/etc/kernel/cmdline";

CommandResult failure(std::string output) {
  return {1, std::move(output) + "\n"};
}

CommandResult not_simulated(std::string_view program, const std::vector<std::string>& arguments) {
  return failure(fmt::format("{}: these arguments are not simulated: {}", program, join(arguments, " ")));
}

/// "--args=x" → "x".
std::optional<std::string> option(const std::vector<std::string>& arguments, std::string_view name) {
  for (const auto& argument : arguments) {
    if (argument.starts_with(name) && argument.substr(name.size()).starts_with('=')) {
      return argument.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

/// grubby's --remove-args: a word without `=` stands for the key with any value.
bool is_removed(const std::string& word, const std::vector<std::string>& removed) {
  return std::ranges::any_of(removed, [&](const std::string& which) {
    return word == which || (which.find('=') == std::string::npos && word.starts_with(which + "="));
  });
}

/// grubby's --args: a key that is already there gets the new values in place of the old ones.
std::string edited(std::string_view line, const std::vector<std::string>& added,
                   const std::vector<std::string>& removed) {
  const auto is_replaced = [&](const std::string& word) {
    const auto key = parse_kernel_word(word).key;
    return std::ranges::any_of(added, [&](const auto& with) { return parse_kernel_word(with).key == key; });
  };
  std::vector<std::string> kept;
  for (auto& word : split_kernel_words(line)) {
    if (!is_removed(word, removed) && !is_replaced(word)) kept.push_back(std::move(word));
  }
  kept.insert(kept.end(), added.begin(), added.end());
  return join(kept, " ");
}

}  // namespace

Result<CommandResult> SimCommands::run(const Command& command) {
  struct Program {
    std::string_view name;
    CommandResult (SimCommands::*run)(const Arguments&);
  };
  static constexpr Program programs[] = {
      {"update-grub", &SimCommands::update_grub},
      {"grub-mkconfig", &SimCommands::grub_mkconfig},
      {"grub2-mkconfig", &SimCommands::grub_mkconfig},
      {"grub-editenv", &SimCommands::grub_editenv},
      {"grub2-editenv", &SimCommands::grub_editenv},
      {"bootctl", &SimCommands::bootctl},
      {"grubby", &SimCommands::grubby},
      {"proxmox-boot-tool", &SimCommands::proxmox_boot_tool},
      {"kernel-install", &SimCommands::kernel_install},
      {"update-initramfs", &SimCommands::update_initramfs},
      {"dracut", &SimCommands::dracut},
      {"mkinitcpio", &SimCommands::mkinitcpio},
  };
  if (command.argv.empty()) return fail(ErrorKind::invalid, "cannot run a command without arguments");
  const auto& path = command.argv.front();
  if (const auto there = files_.exists(path); !there || !*there) {
    return fail(ErrorKind::not_found, fmt::format("cannot run {}: there is no such program", path));
  }
  const auto name = std::string_view(path).substr(path.rfind('/') + 1);
  const Arguments arguments{command.argv.begin() + 1, command.argv.end()};
  if (auto done = run_for_gpus(name, command)) {
    clock_.take(!*done && done->error().kind == ErrorKind::timed_out ? command.limit
                                                                     : std::chrono::seconds{1});
    return *std::move(done);
  }
  if (name == "gpumodeswitch" || name == "displaymodeselector") {
    clock_.take(std::chrono::seconds{10});
    return displays_.run(std::string(name), arguments);
  }
  const auto program = std::ranges::find(programs, name, &Program::name);
  if (program == std::end(programs)) {
    return fail(ErrorKind::not_found, fmt::format("cannot run {}: the simulator has no such program", path));
  }
  clock_.take(std::chrono::seconds{1});
  return (this->*program->run)(arguments);
}

std::optional<Result<CommandResult>> SimCommands::run_for_gpus(std::string_view name,
                                                               const Command& command) {
  const Arguments arguments{command.argv.begin() + 1, command.argv.end()};
  if (name == "sriov-manage") return nvidia_.sriov_manage(arguments);
  if (name == "nvidia-smi") return nvml_.nvidia_smi(arguments);
  if (name == "sh") return installers_.run_file(arguments);
  if (name == "nvidia-uninstall") return installers_.uninstall();
  if (name == "apt-get" || name == "dnf" || name == "zypper") return installers_.packages(name, arguments);
  return std::nullopt;
}

CommandResult SimCommands::update_grub(const Arguments& arguments) {
  if (!arguments.empty()) return not_simulated("update-grub", arguments);
  return make_grub_config("/boot/grub/grub.cfg");
}

CommandResult SimCommands::grub_mkconfig(const Arguments& arguments) {
  if (arguments.size() == 2 && arguments[0] == "-o") return make_grub_config(arguments[1]);
  if (const auto output = option(arguments, "--output"); output && arguments.size() == 1) {
    return make_grub_config(*output);
  }
  return not_simulated("grub-mkconfig", arguments);
}

CommandResult SimCommands::make_grub_config(const std::string& path) {
  const auto config = files_.text(path);
  if (!config) return failure(fmt::format("{}: not there, so that the simulator knows no kernels", path));
  std::vector<std::string> scripts{grub_defaults};
  for (const auto& name : files_.names(grub_defaults_directory)) {
    if (name.ends_with(".cfg")) scripts.push_back(fmt::format("{}/{}", grub_defaults_directory, name));
  }
  GrubShell shell;
  for (const auto& script : scripts) {
    if (auto run = shell.run(script, files_.text(script).value_or("")); !run)
      return failure(run.error().message);
  }
  const std::string always = shell.value("GRUB_CMDLINE_LINUX");
  const std::string normal = always + " " + shell.value("GRUB_CMDLINE_LINUX_DEFAULT");
  if (auto written = files_.replace(path, with_grub_arguments(*config, normal, "single " + always));
      !written) {
    return failure(written.error().message);
  }
  return {0, "Generating grub configuration file ...\ndone\n"};
}

CommandResult SimCommands::grub_editenv(const Arguments& arguments) {
  if (arguments.size() != 3 || (arguments[1] != "set" && arguments[1] != "unset"))
    return not_simulated("grub-editenv", arguments);
  auto variables = grub_environment(files_, arguments[0]);
  const auto equals = arguments[2].find('=');
  const auto name = arguments[2].substr(0, equals);
  if (arguments[1] == "unset")
    variables.erase(name);
  else if (equals != std::string::npos)
    variables[name] = arguments[2].substr(equals + 1);
  write_grub_environment(files_, arguments[0], variables);
  return {};
}

CommandResult SimCommands::bootctl(const Arguments& arguments) {
  const bool once = !arguments.empty() && arguments[0] == "set-oneshot";
  if (arguments.size() != 2 || (!once && arguments[0] != "set-default"))
    return not_simulated("bootctl", arguments);
  set_loader_variable(files_, once ? "LoaderEntryOneShot" : "LoaderEntryDefault", arguments[1]);
  return {};
}

CommandResult SimCommands::grubby(const Arguments& arguments) {
  const auto kernels = option(arguments, "--update-kernel");
  const auto known = [](const std::string& argument) {
    return argument.starts_with("--update-kernel=") || argument.starts_with("--args=") ||
           argument.starts_with("--remove-args=");
  };
  if (kernels != "ALL" || !std::ranges::all_of(arguments, known)) return not_simulated("grubby", arguments);
  const auto added = split_kernel_words(option(arguments, "--args").value_or(""));
  const auto removed = split_kernel_words(option(arguments, "--remove-args").value_or(""));
  for (const auto& path : loader_entries(files_)) {
    const auto entry = files_.text(path).value_or("");
    const auto options = edited(entry_field(entry, "options").value_or(""), added, removed);
    if (auto written = files_.replace(path, with_entry_field(entry, "options", options)); !written) {
      return failure(written.error().message);
    }
  }
  edit_grub_defaults(added, removed);
  if (const auto line = files_.text(kernel_cmdline)) {
    files_.put_text(kernel_cmdline, edited(*line, added, removed) + "\n");
  }
  return {};
}

/// With ALL, grubby keeps what later kernels are made from in step. Source: update_bls_fragment() in
/// grubby-bls.
void SimCommands::edit_grub_defaults(const std::vector<std::string>& added,
                                     const std::vector<std::string>& removed) {
  constexpr std::string_view assignment = "GRUB_CMDLINE_LINUX=";
  const auto defaults = files_.text(grub_defaults);
  if (!defaults) return;
  std::string text;
  for (const auto line : lines(*defaults)) {
    GrubShell shell;
    if (line.starts_with(assignment) && shell.run(grub_defaults, line)) {
      text +=
          fmt::format("{}\"{}\"\n", assignment, edited(shell.value("GRUB_CMDLINE_LINUX"), added, removed));
    } else {
      text.append(line).append("\n");
    }
  }
  files_.put_text(grub_defaults, text);
}

CommandResult SimCommands::proxmox_boot_tool(const Arguments& arguments) {
  if (arguments != Arguments{"refresh"}) return not_simulated("proxmox-boot-tool", arguments);
  if (trim(files_.text("/etc/kernel/proxmox-boot-uuids").value_or("")).empty()) {
    return {0,
            "Re-executing '/etc/kernel/postinst.d/zz-proxmox-boot' in new private mount namespace..\n"
            "No /etc/kernel/proxmox-boot-uuids found, skipping ESP sync.\n"};
  }
  const auto entries = loader_entries(files_);
  if (entries.empty()) host_.machine.esp_command_line = kernel_command_line();
  for (const auto& path : entries) {
    const auto entry = files_.text(path).value_or("");
    files_.put_text(path, with_entry_field(entry, "options", kernel_command_line()));
  }
  return {0, "Running hook script 'proxmox-auto-removal'..\nRunning hook script 'zz-proxmox-boot'..\n"};
}

CommandResult SimCommands::kernel_install(const Arguments& arguments) {
  if (arguments.size() < 2 || arguments[0] != "add") return not_simulated("kernel-install", arguments);
  const auto& version = arguments[1];
  if (files_.names("/lib/modules/" + version).empty()) {
    return failure(fmt::format("kernel-install: no modules of kernel {}", version));
  }
  const auto ours = [&](const std::string& path) { return path.ends_with("-" + version + ".conf"); };
  for (const auto& path : loader_entries(files_)) {
    if (!ours(path)) continue;
    files_.put_text(path, with_entry_field(files_.text(path).value_or(""), "options", kernel_command_line()));
    return {};
  }
  return failure(fmt::format("kernel-install: the simulator knows no loader entry of kernel {}", version));
}

/// Source: kernel-install(8): /etc/kernel/cmdline, else /usr/lib/kernel/cmdline, else what is running.
std::string SimCommands::kernel_command_line() const {
  for (const char* path : {kernel_cmdline, "/usr/lib/kernel/cmdline", "/proc/cmdline"}) {
    if (const auto text = files_.text(path)) return join(split_kernel_words(*text), " ");
  }
  return {};
}

CommandResult SimCommands::update_initramfs(const Arguments& arguments) {
  if (arguments != Arguments{"-u", "-k", "all"} && arguments != Arguments{"-u"}) {
    return not_simulated("update-initramfs", arguments);
  }
  return rebuild_initramfs("update-initramfs: Generating the initramfs of every kernel\n");
}

CommandResult SimCommands::dracut(const Arguments& arguments) {
  const auto known = [](const std::string& argument) {
    return argument == "--force" || argument == "-f" || argument == "--regenerate-all";
  };
  const auto has = [&](std::string_view argument) {
    return std::ranges::find(arguments, argument) != arguments.end();
  };
  if (!std::ranges::all_of(arguments, known) || !(has("--force") || has("-f"))) {
    return not_simulated("dracut", arguments);
  }
  return rebuild_initramfs({});
}

CommandResult SimCommands::mkinitcpio(const Arguments& arguments) {
  if (arguments != Arguments{"-P"}) return not_simulated("mkinitcpio", arguments);
  return rebuild_initramfs({});
}

CommandResult SimCommands::rebuild_initramfs(std::string output) {
  host_.machine.initramfs.reset();
  return {0, std::move(output)};
}

}  // namespace gpuhost
