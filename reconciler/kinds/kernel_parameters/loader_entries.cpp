#include "kinds/kernel_parameters/loader_entries.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

std::string expanded(std::string_view options,
                     const std::map<std::string, std::string, std::less<>>& variables) {
  std::vector<std::string> found;
  for (const auto word : words(options)) {
    if (!word.starts_with('$')) {
      found.emplace_back(word);
    } else if (const auto value = variables.find(word.substr(1)); value != variables.end()) {
      found.push_back(value->second);
    }
  }
  return join(found, " ");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes the leading run of digits, or of anything else, off `text`.
std::string_view take_run(std::string_view& text) {
  const bool digits = is_digit(text.front());
  const auto end = std::ranges::find_if(text, [&](char c) { return is_digit(c) != digits; });
  const auto run = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(run.size());
  return run;
}

/// Entries of firmware tools and of other systems have `efi` in place of a kernel, and no command line.
bool boots_linux(std::string_view text) {
  return std::ranges::none_of(lines(text), [](std::string_view line) {
    const auto parts = words(line);
    return !parts.empty() && (parts.front() == "efi" || parts.front() == "uki");
  });
}

}  // namespace

bool newer_version(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    auto left = take_run(a);
    auto right = take_run(b);
    if (is_digit(left.front()) && is_digit(right.front())) {
      left.remove_prefix(std::min(left.find_first_not_of('0'), left.size()));
      right.remove_prefix(std::min(right.find_first_not_of('0'), right.size()));
      if (left.size() != right.size()) return left.size() > right.size();
    }
    if (left != right) return left > right;
  }
  return a.size() > b.size();
}

std::map<std::string, std::string, std::less<>> parse_grub_environment(std::string_view text) {
  std::map<std::string, std::string, std::less<>> found;
  for (const auto line : lines(text)) {
    const auto equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    found.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return found;
}

BootEntry parse_loader_entry(std::string_view text,
                             const std::map<std::string, std::string, std::less<>>& variables) {
  BootEntry entry;
  std::string options;
  for (const auto line : lines(text)) {
    const auto content = trim(line);
    const auto key_end = std::min(content.find_first_of(" \t"), content.size());
    const auto key = content.substr(0, key_end);
    if (key == "title") entry.title = trim(content.substr(key_end));
    if (key == "version") entry.version = trim(content.substr(key_end));
    if (key == "options") options += std::string(content.substr(key_end)) + " ";
  }
  // Only GRUB's entries have variables; all others keep their spelling, quoted blanks included.
  entry.command_line =
      CommandLine(options.contains('$') ? expanded(options, variables) : std::string(trim(options)));
  return entry;
}

Result<std::vector<BootEntry>> read_loader_entries(
    const FileReader& files, const std::string& directory,
    const std::map<std::string, std::string, std::less<>>& variables) {
  auto names = files.list(directory);
  if (!names) return std::unexpected(names.error());
  std::erase_if(*names, [](const auto& name) {
    return !name.ends_with(".conf") || name.contains("rescue") || name == loader_fallback;
  });
  std::ranges::stable_sort(*names, newer_version);
  std::vector<BootEntry> entries;
  for (const auto& name : *names) {
    const auto text = files.read(directory + "/" + name);
    if (!text) return std::unexpected(text.error());
    if (!boots_linux(*text)) continue;
    entries.push_back(parse_loader_entry(*text, variables));
    if (entries.back().title.empty()) entries.back().title = name;
    entries.back().id = name;
    entries.back().body = *text;
  }
  if (entries.empty()) return fail(ErrorKind::not_found, fmt::format("no boot entries in {}", directory));
  return entries;
}

}  // namespace gpuhost
