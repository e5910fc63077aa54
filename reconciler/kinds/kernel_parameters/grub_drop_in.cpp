#include "kinds/kernel_parameters/grub_drop_in.hpp"

#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view title =
    "# Written by gpuhost for the documents that own these parameters; edit the documents instead.\n";
constexpr std::string_view present_mark = "# key: ";
constexpr std::string_view absent_mark = "# absent: ";

/// Takes every managed word out of one of GRUB's variables and puts `added` behind the rest.
std::string filter(std::string_view variable, std::string_view patterns, std::string_view added) {
  return fmt::format(
      "gpuhost_words=\n"
      "for gpuhost_word in ${0}; do\n"
      "  case $gpuhost_word in\n"
      "    {1}) ;;\n"
      "    *) gpuhost_words=\"$gpuhost_words $gpuhost_word\" ;;\n"
      "  esac\n"
      "done\n"
      "{0}=\"$gpuhost_words{2}\"\n",
      variable, patterns, added);
}

}  // namespace

GrubDropIn GrubDropIn::parse(std::string_view text) {
  GrubDropIn found;
  for (const auto line : lines(text)) {
    if (line.starts_with(absent_mark)) {
      found.set_if_safe(trim(line.substr(absent_mark.size())), {});
    } else if (line.starts_with(present_mark)) {
      const auto words = line.substr(present_mark.size());
      const auto arguments = parse_kernel_arguments(words);
      if (!arguments.empty())
        found.set_if_safe(arguments.front().key, CommandLine(std::string(words)).of(arguments.front().key));
    }
  }
  found.intact_ = found.render() == text;
  return found;
}

const GrubDropIn::Entry* GrubDropIn::find(std::string_view key) const {
  const auto found = entries_.find(underscored(key));
  return found == entries_.end() ? nullptr : &found->second;
}

void GrubDropIn::set(std::string_view key, Occurrences values) {
  entries_[underscored(key)] = Entry{std::string(key), std::move(values)};
}

/// Another hand may have been in the comments, and what they say is written again where a shell reads it.
void GrubDropIn::set_if_safe(std::string_view key, Occurrences values) {
  if (check_shell_safe(key, values)) set(key, std::move(values));
}

void GrubDropIn::erase(std::string_view key) {
  entries_.erase(underscored(key));
}

CommandLine GrubDropIn::applied_to(CommandLine line) const {
  for (const auto& [name, entry] : entries_) line = line.with(entry.key, {}).with(entry.key, entry.values);
  return line;
}

std::string GrubDropIn::render() const {
  std::string text(title);
  std::vector<std::string> patterns;
  std::string added;
  for (const auto& [name, entry] : entries_) {
    const auto words = words_for(entry.key, entry.values);
    text +=
        fmt::format("{}{}\n", words.empty() ? absent_mark : present_mark, words.empty() ? entry.key : words);
    if (!words.empty()) added += " " + words;
    std::string dashed = name;
    std::ranges::replace(dashed, '_', '-');
    patterns.push_back(name + "|" + name + "=*");
    if (dashed != name) patterns.push_back(dashed + "|" + dashed + "=*");
  }
  const auto all = join(patterns, "|");
  return text + "set -f\n" + filter("GRUB_CMDLINE_LINUX", all, "") +
         filter("GRUB_CMDLINE_LINUX_DEFAULT", all, added) + "set +f\n";
}

}  // namespace gpuhost
