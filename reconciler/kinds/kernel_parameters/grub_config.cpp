#include "kinds/kernel_parameters/grub_config.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view blanks = " \t";

/// The next word of a GRUB script line, quotes and backslashes resolved; `line` shrinks to what is left.
/// Source: GRUB manual, "Quoting".
std::optional<std::string> next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  if (line.empty() || line.front() == '#') return std::nullopt;
  std::string word;
  char quote = 0;
  std::size_t at = 0;
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (quote == 0 && blanks.contains(c)) break;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && at + 1 < line.size()) {
      word += line[++at];
    } else {
      word += c;
    }
  }
  line.remove_prefix(at);
  return word;
}

std::vector<std::string> script_words(std::string_view line) {
  std::vector<std::string> found;
  while (auto word = next_word(line)) found.push_back(std::move(*word));
  return found;
}

bool is_linux_command(std::string_view word) {
  return word == "linux" || word == "linux16" || word == "linuxefi";
}

struct MenuEntry {
  std::string title;
  std::string id;
};

/// From `menuentry 'TITLE' --class debian $menuentry_id_option 'ID' {`.
MenuEntry menu_entry(const std::vector<std::string>& words) {
  MenuEntry entry;
  if (words.size() > 1) entry.title = words[1];
  for (std::size_t i = 2; i + 1 < words.size(); ++i)
    if (words[i] == "$menuentry_id_option" || words[i] == "--id") entry.id = words[i + 1];
  return entry;
}

/// "10_linux" from "### BEGIN /etc/grub.d/10_linux ###"; nothing for another line.
std::optional<std::string_view> begun_script(std::string_view line) {
  constexpr std::string_view mark = "### BEGIN ";
  if (!line.starts_with(mark)) return std::nullopt;
  const auto rest = line.substr(mark.size());
  const auto path = rest.substr(0, rest.find(' '));
  return path.substr(path.rfind('/') + 1);
}

bool counts(const MenuEntry& entry, std::string_view image) {
  const bool recovery = entry.title.contains("(recovery mode)") || entry.id.contains("-recovery-") ||
                        entry.title.contains("rescue");
  const bool elsewhere = entry.id.starts_with("osprober-");
  const auto file = image.substr(image.rfind('/') + 1);
  return !recovery && !elsewhere && !file.starts_with("memtest");
}

}  // namespace

std::vector<BootEntry> parse_grub_config(std::string_view text) {
  std::vector<BootEntry> found;
  std::optional<MenuEntry> entry;
  bool from_defaults = true;
  for (const auto line : lines(text)) {
    if (const auto script = begun_script(line)) from_defaults = script->contains("linux");
    if (!from_defaults) continue;
    const auto words = script_words(trim(line));
    if (words.empty()) continue;
    if (words.front() == "menuentry") entry = menu_entry(words);
    if (!entry || !is_linux_command(words.front()) || words.size() < 2) continue;
    if (counts(*entry, words[1])) {
      std::vector<std::string> arguments;
      for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i].starts_with('$')) continue;
        // GRUB hands a word with blanks on in quotes (grub_create_loader_cmdline).
        arguments.push_back(words[i].find_first_of(blanks) == std::string::npos ? words[i]
                                                                                : '"' + words[i] + '"');
      }
      found.push_back({entry->title, CommandLine(join(arguments, " "))});
    }
    entry.reset();
  }
  return found;
}

}  // namespace gpuhost
