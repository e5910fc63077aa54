#include "host/sim/loader_config.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::array<const char*, 4> entry_directories = {"/boot/loader/entries", "/boot/efi/loader/entries",
                                                          "/efi/loader/entries", "/boot/EFI/loader/entries"};

/// A `linux` line of grub.cfg, taken apart.
struct LinuxLine {
  std::string_view head;  ///< indentation, command and image, as they stand
  std::string_view image;
  std::vector<std::string_view> arguments;
};

std::optional<LinuxLine> parse_linux_line(std::string_view line) {
  const auto parts = words(line);
  if (parts.size() < 2) return std::nullopt;
  if (parts[0] != "linux" && parts[0] != "linux16" && parts[0] != "linuxefi") return std::nullopt;
  const auto end = static_cast<std::size_t>(parts[1].data() + parts[1].size() - line.data());
  return LinuxLine{line.substr(0, end), parts[1], {parts.begin() + 2, parts.end()}};
}

bool is_recovery(std::string_view menu_entry, const LinuxLine& line) {
  return menu_entry.find("recovery mode") != std::string_view::npos ||
         std::ranges::find(line.arguments, std::string_view("single")) != line.arguments.end();
}

std::string variable_path(std::string_view name) {
  return fmt::format("/sys/firmware/efi/efivars/{}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", name);
}

bool is_rescue(std::string_view entry) {
  return entry.find("-0-rescue") != std::string_view::npos;
}

}  // namespace

bool names_root_file_system(std::string_view word) {
  return word.starts_with("root=") || word == "ro" || word == "rw" || word.starts_with("rootflags=") ||
         word.starts_with("boot=");
}

std::string with_grub_arguments(std::string_view config, std::string_view normal, std::string_view recovery) {
  std::string text;
  std::string_view menu_entry;
  for (const auto line : lines(config)) {
    if (trim(line).starts_with("menuentry ")) menu_entry = line;
    const auto parsed = parse_linux_line(line);
    if (!parsed) {
      text.append(line).append("\n");
      continue;
    }
    text += parsed->head;
    for (const auto word : parsed->arguments) {
      if (!names_root_file_system(word)) break;
      text.append(" ").append(word);
    }
    for (const auto word : words(is_recovery(menu_entry, *parsed) ? recovery : normal))
      text.append(" ").append(word);
    text += "\n";
  }
  return text;
}

std::optional<std::string> first_grub_command_line(std::string_view config) {
  for (const auto line : lines(config)) {
    const auto parsed = parse_linux_line(line);
    if (!parsed) continue;
    std::string command_line = "BOOT_IMAGE=" + std::string(parsed->image);
    for (const auto word : parsed->arguments) {
      if (!word.starts_with('$')) command_line.append(" ").append(word);
    }
    return command_line;
  }
  return std::nullopt;
}

std::vector<std::string> loader_entries(const SimFiles& files) {
  for (const std::string directory : entry_directories) {
    std::vector<std::string> found;
    for (const auto& name : files.names(directory)) {
      if (name.ends_with(".conf")) found.push_back(directory + "/" + name);
    }
    if (found.empty()) continue;
    std::ranges::sort(found, [](const auto& a, const auto& b) {
      if (is_rescue(a) != is_rescue(b)) return is_rescue(b);
      return ::strverscmp(a.c_str(), b.c_str()) > 0;
    });
    return found;
  }
  return {};
}

std::string loader_variable(const SimFiles& files, std::string_view name) {
  const auto bytes = files.text(variable_path(name)).value_or("");
  std::string value;
  for (std::size_t at = 4; at < bytes.size() && bytes[at] != '\0'; at += 2) value += bytes[at];
  return value;
}

void set_loader_variable(SimFiles& files, std::string_view name, std::string_view value) {
  if (value.empty()) return static_cast<void>(files.erase_tree(variable_path(name)));
  std::string bytes("\7\0\0\0", 4);
  for (const char c : value) bytes.append({c, '\0'});
  files.put_text(variable_path(name), bytes.append(2, '\0'));
}

std::string take_loader_entry(SimFiles& files) {
  const auto entries = loader_entries(files);
  for (const char* name : {"LoaderEntryOneShot", "LoaderEntryDefault"}) {
    const auto wanted = loader_variable(files, name);
    if (name == std::string_view("LoaderEntryOneShot")) set_loader_variable(files, name, "");
    const auto found =
        std::ranges::find_if(entries, [&](const auto& path) { return path.ends_with("/" + wanted); });
    if (!wanted.empty() && found != entries.end()) return *found;
  }
  return entries.empty() ? "" : entries.front();
}

std::optional<std::string> entry_field(std::string_view entry, std::string_view key) {
  for (const auto line : lines(entry)) {
    const auto parts = words(line);
    if (!parts.empty() && parts[0] == key) return std::string(trim(trim(line).substr(key.size())));
  }
  return std::nullopt;
}

std::string with_entry_field(std::string_view entry, std::string_view key, std::string_view value) {
  std::string text;
  bool there = false;
  const auto append = [&] { text.append(key).append(" ").append(value).append("\n"); };
  for (const auto line : lines(entry)) {
    const auto parts = words(line);
    if (parts.empty() || parts[0] != key) {
      text.append(line).append("\n");
    } else if (!std::exchange(there, true)) {
      append();
    }
  }
  if (!there) append();
  return text;
}

}  // namespace gpuhost
