#include "kinds/kernel_parameters/grub_config.hpp"

#include <algorithm>
#include <optional>
#include <span>
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

/// GRUB hands a word with blanks on in quotes (grub_create_loader_cmdline).
CommandLine command_line_of(std::span<const std::string> words) {
  std::vector<std::string> arguments;
  for (const auto& word : words)
    if (!word.starts_with('$'))
      arguments.push_back(word.find_first_of(blanks) == std::string::npos ? word : '"' + word + '"');
  return CommandLine(join(arguments, " "));
}

class MenuEntry {
 public:
  MenuEntry(std::string title, std::string id) : id_(std::move(id)) { entry_.title = std::move(title); }

  /// A line between its braces. Of several `linux` lines the first counts.
  void add(std::string_view line, std::span<const std::string> words) {
    entry_.body.append(line).append("\n");
    if (!entry_.image.empty() || !is_linux_command(words.front()) || words.size() < 2) return;
    entry_.image = words[1];
    entry_.command_line = command_line_of(words.subspan(2));
  }

  /// Neither for recovery nor another system's.
  [[nodiscard]] bool boots_linux() const {
    const auto& title = entry_.title;
    const bool recovery =
        title.contains("(recovery mode)") || id_.contains("-recovery-") || title.contains("rescue");
    const auto file = entry_.image.substr(entry_.image.rfind('/') + 1);
    return !file.empty() && !recovery && !id_.starts_with("osprober-") && !file.starts_with("memtest");
  }
  [[nodiscard]] BootEntry boot_entry() && { return std::move(entry_); }

 private:
  BootEntry entry_;
  std::string id_;
};

/// From `menuentry 'TITLE' --class debian $menuentry_id_option 'ID' {`.
MenuEntry menu_entry(const std::vector<std::string>& words) {
  std::string id;
  for (std::size_t i = 2; i + 1 < words.size(); ++i)
    if (words[i] == "$menuentry_id_option" || words[i] == "--id") id = words[i + 1];
  return {words.size() > 1 ? words[1] : std::string(), std::move(id)};
}

/// "10_linux" from "### BEGIN /etc/grub.d/10_linux ###"; nothing for another line.
std::optional<std::string_view> begun_script(std::string_view line) {
  constexpr std::string_view mark = "### BEGIN ";
  if (!line.starts_with(mark)) return std::nullopt;
  const auto rest = line.substr(mark.size());
  const auto path = rest.substr(0, rest.find(' '));
  return path.substr(path.rfind('/') + 1);
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
    if (words.front() == "menuentry") {
      entry = menu_entry(words);
    } else if (entry && words.front() == "}") {
      if (entry->boots_linux()) found.push_back(std::move(*entry).boot_entry());
      entry.reset();
    } else if (entry) {
      entry->add(line, words);
    }
  }
  return found;
}

}  // namespace gpuhost
