#include "host/sim/sim_modprobe.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.hpp"
#include "host/sim/kernel_words.hpp"

namespace gpuhost {

namespace {

constexpr std::array<const char*, 5> directories = {"/etc/modprobe.d", "/run/modprobe.d",
                                                    "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
                                                    "/lib/modprobe.d"};

/// Lines with `\` at the end go on in the next one.
std::string joined_lines(std::string_view text) {
  std::string joined;
  for (const auto line : lines(text)) {
    if (line.ends_with('\\')) {
      joined.append(line.substr(0, line.size() - 1));
    } else {
      joined.append(line).append("\n");
    }
  }
  return joined;
}

SimModprobe::Option parse_option(std::string_view word) {
  auto [name, value] = parse_kernel_word(word);
  return {underscored(name), value.value_or("Y")};
}

void read_softdep(std::span<const std::string_view> parts, SimModprobe& config) {
  std::vector<std::string>* list = nullptr;
  for (const auto part : parts.subspan(2)) {
    if (part == "pre:")
      list = &config.loaded_before[underscored(parts[1])];
    else if (part == "post:")
      list = &config.loaded_after[underscored(parts[1])];
    else if (list != nullptr)
      list->push_back(underscored(part));
  }
}

void read_line(std::string_view line, SimModprobe& config) {
  const auto parts = words(line);
  if (parts.size() < 2 || parts[0].starts_with('#')) return;
  const std::string module = underscored(parts[1]);
  if (parts[0] == "blacklist") {
    config.blacklisted.push_back(module);
  } else if (parts[0] == "install" && parts.size() > 2) {
    const auto command = line.substr(static_cast<std::size_t>(parts[2].data() - line.data()));
    config.install.emplace(module, trim(command));
  } else if (parts[0] == "softdep") {
    read_softdep(parts, config);
  } else if (parts[0] == "options") {
    for (std::size_t i = 2; i < parts.size(); ++i) config.options[module].push_back(parse_option(parts[i]));
  }
}

void read_command_line(std::string_view line, SimModprobe& config) {
  for (const auto& word : split_kernel_words(line)) {
    const auto [key, value] = parse_kernel_word(word);
    if (key == "modprobe.blacklist") {
      const std::string list = value.value_or("");
      for (const auto module : split(list, ',')) config.blacklisted.push_back(underscored(module));
      continue;
    }
    const auto dot = key.find('.');
    if (dot == std::string::npos) continue;
    config.options[underscored(key.substr(0, dot))].push_back(
        {underscored(key.substr(dot + 1)), value.value_or("Y")});
  }
}

}  // namespace

bool SimModprobe::is_blacklisted(const std::string& module) const {
  return std::ranges::find(blacklisted, module) != blacklisted.end();
}

bool SimModprobe::blocks(const std::string& module) const {
  return is_blacklisted(module) || install.contains(module);
}

std::string modprobe_text(const SimFiles& files) {
  std::map<std::string, std::string> chosen;  // file name → path
  for (const std::string directory : directories) {
    for (const auto& name : files.names(directory)) {
      if (name.ends_with(".conf")) chosen.emplace(name, directory + "/" + name);
    }
  }
  std::string all;
  for (const auto& [name, path] : chosen) {
    const std::string text = files.text(path).value_or("");
    all += text;
    if (!text.empty() && !text.ends_with('\n')) all += '\n';
  }
  return all;
}

bool is_modprobe_path(std::string_view path) {
  return std::ranges::any_of(directories,
                             [&](std::string_view directory) { return path.starts_with(directory); });
}

SimModprobe parse_modprobe(std::string_view text, std::string_view command_line) {
  SimModprobe config;
  const std::string joined = joined_lines(text);
  for (const auto line : lines(joined)) read_line(line, config);
  read_command_line(command_line, config);
  return config;
}

}  // namespace gpuhost
