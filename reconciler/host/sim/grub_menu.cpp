#include "host/sim/grub_menu.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "host/sim/loader_config.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view block_head = "# GRUB Environment Block\n";
constexpr std::size_t block_size = 1024;

/// One file of GRUB's script.
class GrubMenu {
 public:
  GrubMenu(SimFiles& files, std::string environment_path)
      : files_(files), environment_path_(std::move(environment_path)) {
    variables_ = grub_environment(files_, environment_path_);
  }

  void run(std::string_view script) {
    for (const auto line : lines(script)) statement(trim(line));
  }

  /// The text of the entry of custom.cfg that is the default; nothing: grub.cfg's default stays.
  [[nodiscard]] std::optional<std::string> chosen() const {
    const auto wanted = variables_.find("default");
    if (wanted == variables_.end()) return std::nullopt;
    const auto found = entries_.find(wanted->second);
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  struct Branch {
    bool runs;   ///< its statements do
    bool taken;  ///< one branch of this `if` has run, or none may
  };

  void statement(std::string_view line) {
    if (!entry_.empty()) return in_entry(line);
    if (line.empty() || line.starts_with('#')) return;
    const auto words = split_words(line);
    const auto& command = words.front();
    const bool runs = std::ranges::all_of(branches_, &Branch::runs);
    if (command == "if") {
      const bool holds = runs && condition({words.begin() + 1, words.end()});
      branches_.push_back({holds, holds || !runs});
    } else if (command == "fi" && !branches_.empty()) {
      branches_.pop_back();
    } else if (command == "else" && !branches_.empty()) {
      auto& branch = branches_.back();
      branch.runs = !branch.taken;
    } else if (command == "elif" && !branches_.empty()) {
      auto& branch = branches_.back();
      branch.runs = !branch.taken && condition({words.begin() + 1, words.end()});
      branch.taken |= branch.runs;
    } else if (runs) {
      plain(words);
    }
  }

  void plain(const std::vector<std::string>& words) {
    if (words[0] == "set" && words.size() == 2) {
      const auto equals = words[1].find('=');
      if (equals != std::string::npos) variables_[words[1].substr(0, equals)] = words[1].substr(equals + 1);
    } else if (words[0] == "save_env" && words.size() == 2) {
      save(words[1]);
    } else if (words[0] == "menuentry") {
      const auto id = std::ranges::find(words, "--id");
      entry_ = id != words.end() && id + 1 != words.end() ? *(id + 1) : words.at(1);
    }
  }

  void in_entry(std::string_view line) {
    if (line == "}") return entry_.clear();
    entries_[entry_].append(line).append("\n");
  }

  bool condition(std::vector<std::string> words) {
    while (!words.empty() && (words.back() == "then" || words.back() == ";")) words.pop_back();
    if (words.size() == 2 && words[0] == "save_env") return save(words[1]);
    if (words.size() == 3 && words[0] == "[") return !words[1].empty();
    if (words.size() != 5 || words[0] != "[") return false;
    return (words[1] == words[3]) != (words[2] == "!=");
  }

  bool save(const std::string& name) {
    auto saved = grub_environment(files_, environment_path_);
    saved[name] = variables_[name];
    write_grub_environment(files_, environment_path_, saved);
    return true;
  }

  /// With variables in their place and without quotes; `;` is a word of its own.
  std::vector<std::string> split_words(std::string_view line) {
    std::vector<std::string> found(1);
    bool quoted = false;
    bool there = false;
    const auto end_word = [&] {
      if (there) found.emplace_back();
      there = false;
    };
    for (std::size_t at = 0; at < line.size(); ++at) {
      const char c = line[at];
      if (c == '"' || c == '\'') {
        quoted = !quoted;
        there = true;
      } else if (!quoted && (c == ' ' || c == '\t' || c == ';')) {
        end_word();
      } else if (line.substr(at).starts_with("${") && line.find('}', at) != std::string_view::npos) {
        const auto end = line.find('}', at);
        found.back() += variables_[std::string(line.substr(at + 2, end - at - 2))];
        at = end;
        there = true;
      } else {
        found.back() += c;
        there = true;
      }
    }
    if (!there && found.size() > 1) found.pop_back();
    return found;
  }

  SimFiles& files_;
  std::string environment_path_;
  std::map<std::string, std::string> variables_;
  std::vector<Branch> branches_;
  std::map<std::string, std::string> entries_;
  std::string entry_;  ///< id of the one whose lines come; empty: none
};

}  // namespace

std::map<std::string, std::string> grub_environment(const SimFiles& files, const std::string& path) {
  std::map<std::string, std::string> variables;
  const auto block = files.text(path).value_or("");
  for (const auto line : lines(block)) {
    const auto equals = line.find('=');
    if (!line.starts_with('#') && equals != std::string_view::npos)
      variables[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  return variables;
}

void write_grub_environment(SimFiles& files, const std::string& path,
                            const std::map<std::string, std::string>& variables) {
  std::string block(block_head);
  for (const auto& [name, value] : variables) block += name + "=" + value + "\n";
  if (block.size() < block_size) block.resize(block_size, '#');
  files.put_text(path, block);
}

std::optional<std::string> boot_by_grub(SimFiles& files, const std::string& directory) {
  const auto config = files.text(directory + "/grub.cfg").value_or("");
  if (config.contains("/custom.cfg")) {
    GrubMenu menu(files, directory + "/grubenv");
    menu.run(files.text(directory + "/custom.cfg").value_or(""));
    if (const auto entry = menu.chosen()) return first_grub_command_line(*entry);
  }
  return first_grub_command_line(config);
}

}  // namespace gpuhost
