#include "kinds/kernel_modules/modprobe_config.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

/// Lines with those that a backslash continues.
std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> found;
  bool continued = false;
  for (auto line : lines(text)) {
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line.remove_suffix(1);
    if (continued)
      found.back() += line;
    else
      found.emplace_back(line);
    continued = goes_on;
  }
  return found;
}

std::string_view take_word(std::string_view& rest) {
  rest = trim(rest);
  const auto word = rest.substr(0, rest.find_first_of(" \t"));
  rest = trim(rest.substr(word.size()));
  return word;
}

bool does_nothing(std::string_view command) {
  const auto program = take_word(command);
  const auto name = program.substr(program.rfind('/') + 1);
  return name == "false" || name == "true";
}

bool is_link_to_nothing(const FileReader& files, const std::string& path) {
  const auto target = files.link_target(path);
  return target && *target == "/dev/null";
}

}  // namespace

void ModprobeConfig::add(std::string_view text, const std::string& file) {
  for (const auto& line : logical_lines(text)) {
    std::string_view rest = line;
    const auto keyword = take_word(rest);
    if (keyword.empty() || keyword.starts_with('#')) continue;
    const auto module = underscored(take_word(rest));
    if (module.empty()) continue;
    if (keyword == "blacklist") {
      blacklisted.emplace(module, file);
    } else if (keyword == "install") {
      install.emplace(module, Install{std::string(rest), file});
    } else if (keyword == "options") {
      for (const auto& argument : parse_kernel_arguments(rest)) {
        options[module][underscored(argument.key)] = argument.value.value_or("");
        set_by[module][underscored(argument.key)] = file;
      }
    }
  }
}

bool ModprobeConfig::blocks(const std::string& module) const {
  return blacklisted.contains(module) && replaces_loading(module);
}

bool ModprobeConfig::replaces_loading(const std::string& module) const {
  const auto command = install.find(module);
  return command != install.end() && does_nothing(command->second.command);
}

Result<std::vector<ConfigFile>> read_config_files(const FileReader& files,
                                                  const std::vector<std::string>& directories) {
  std::map<std::string, std::string> texts;
  std::map<std::string, std::string> paths;
  for (const auto& directory : directories) {
    const auto names = files.list(directory);
    if (!names && names.error().kind == ErrorKind::not_found) continue;
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
      if (!name.ends_with(".conf") || !paths.emplace(name, directory + "/" + name).second) continue;
      const auto text = files.read(paths[name]);
      // A link to /dev/null, or to nothing, hides files and says nothing itself.
      if (!text && text.error().kind != ErrorKind::not_found && !is_link_to_nothing(files, paths[name]))
        return std::unexpected(text.error());
      if (text) texts[name] = *text;
    }
  }
  std::vector<ConfigFile> found;
  for (auto& [name, text] : texts) found.push_back({paths[name], std::move(text)});
  return found;
}

Result<ModprobeConfig> read_modprobe_config(const FileReader& files, std::string_view left_out) {
  const auto found =
      read_config_files(files, {"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
                                "/usr/lib/modprobe.d", "/lib/modprobe.d"});
  if (!found) return std::unexpected(found.error());
  ModprobeConfig config;
  for (const auto& [path, text] : *found)
    if (path != left_out) config.add(text, path);
  return config;
}

std::set<std::string> parse_module_list(std::string_view text) {
  std::set<std::string> found;
  for (const auto line : lines(text)) {
    const auto name = trim(line);
    if (!name.empty() && !name.starts_with('#') && !name.starts_with(';'))
      found.insert(underscored(words(name).front()));
  }
  return found;
}

Result<std::map<std::string, std::string>> read_modules_at_boot(const FileReader& files) {
  auto found = read_config_files(files, {"/etc/modules-load.d", "/run/modules-load.d",
                                         "/usr/local/lib/modules-load.d", "/usr/lib/modules-load.d"});
  if (!found) return std::unexpected(found.error());
  std::map<std::string, std::string> listed;
  for (const auto& [path, text] : *found)
    for (const auto& module : parse_module_list(text)) listed.emplace(module, path);
  return listed;
}

}  // namespace gpuhost
