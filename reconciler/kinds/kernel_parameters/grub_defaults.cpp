#include "kinds/kernel_parameters/grub_defaults.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view common = "GRUB_CMDLINE_LINUX";
constexpr std::string_view normal_only = "GRUB_CMDLINE_LINUX_DEFAULT";

bool is_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `NAME=value` on a line of its own. Positions are offsets in the text that the line came from.
struct Assignment {
  std::string_view name;
  std::string_view raw;       ///< what stands behind `=`
  std::size_t raw_begin = 0;  ///< its offset
};

/// Nothing for an indented line too: it may stand inside a condition.
std::optional<Assignment> parse_assignment(std::string_view text, std::string_view line) {
  const auto equals = line.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  const auto name = line.substr(0, equals);
  if (!std::ranges::all_of(name, is_identifier)) return std::nullopt;
  const auto begin = static_cast<std::size_t>(line.data() - text.data()) + equals + 1;
  return Assignment{name, line.substr(equals + 1), begin};
}

/// The text of a plain string: quoted either way or a bare word, with nothing behind it but a comment.
std::optional<std::string_view> plain_string(std::string_view raw) {
  if (raw.empty()) return raw;
  const char quote = raw.front();
  if (quote != '"' && quote != '\'') {
    const auto end = std::min(raw.find_first_of(" \t"), raw.size());
    const auto word = raw.substr(0, end);
    const auto rest = trim(raw.substr(end));
    if ((!rest.empty() && !rest.starts_with('#')) ||
        word.find_first_of("\"'`\\;&|<>()") != std::string_view::npos)
      return std::nullopt;
    return word;
  }
  const auto close = raw.find(quote, 1);
  if (close == std::string_view::npos) return std::nullopt;
  const auto rest = trim(raw.substr(close + 1));
  const auto inner = raw.substr(1, close - 1);
  const bool escapes = quote == '"' && inner.find_first_of("`\\") != std::string_view::npos;
  if (escapes || (!rest.empty() && !rest.starts_with('#'))) return std::nullopt;
  return inner;
}

std::optional<std::string> expand(std::string_view text,
                                  const std::map<std::string, std::string, std::less<>>& known) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      result += text[at++];
      continue;
    }
    const bool braced = text.substr(at + 1).starts_with('{');
    const auto begin = at + (braced ? 2 : 1);
    auto end = begin;
    while (end < text.size() && is_identifier(text[end])) ++end;
    if (end == begin || (braced && (end == text.size() || text[end] != '}'))) return std::nullopt;
    if (const auto value = known.find(text.substr(begin, end - begin)); value != known.end())
      result += value->second;
    at = end + (braced ? 1 : 0);
  }
  return result;
}

std::optional<std::string> value_of(std::string_view raw,
                                    const std::map<std::string, std::string, std::less<>>& known) {
  const auto plain = plain_string(raw);
  if (!plain) return std::nullopt;
  return raw.starts_with('\'') ? std::string(*plain) : expand(*plain, known);
}

Result<std::string> needs_a_shell(std::string_view name) {
  return fail(ErrorKind::unsupported,
              fmt::format("{} is not set as a simple quoted string in GRUB's defaults", name),
              fmt::format("write it in /etc/default/grub as {}=\"…\" without shell constructs", name));
}

/// One variable's line changed; the text as it is when nothing in it has to change.
Result<std::string> edit_variable(std::string_view text, std::string_view name, std::string_view key,
                                  const Occurrences& values) {
  std::optional<Assignment> last;
  for (const auto line : lines(text))
    if (const auto found = parse_assignment(text, line); found && found->name == name) last = found;
  if (!last) {
    if (values.empty()) return std::string(text);
    const bool ended = text.empty() || text.ends_with('\n');
    return fmt::format("{}{}{}=\"{}\"\n", text, ended ? "" : "\n", name, words_for(key, values));
  }
  const auto plain = plain_string(last->raw);
  if (!plain || (!last->raw.starts_with('\'') && plain->contains('$'))) return needs_a_shell(name);
  const auto edited = CommandLine(std::string(*plain)).with(key, values);
  if (edited.text() == *plain) return std::string(text);
  const bool bare = last->raw.empty() || (last->raw.front() != '"' && last->raw.front() != '\'');
  const auto begin = last->raw_begin + (bare ? 0 : 1);
  const std::string_view quote = bare ? "\"" : "";
  return fmt::format("{}{}{}{}{}", text.substr(0, begin), quote, edited.text(), quote,
                     text.substr(begin + plain->size()));
}

}  // namespace

Result<CommandLine> grub_command_line(std::span<const std::string> texts) {
  std::map<std::string, std::string, std::less<>> known;
  for (const auto& text : texts) {
    for (const auto line : lines(text)) {
      const auto assignment = parse_assignment(text, line);
      const auto value = assignment ? value_of(assignment->raw, known) : std::nullopt;
      if (value) {
        known[std::string(assignment->name)] = *value;
      } else if (line.contains('=') && line.contains(common) && !trim(line).starts_with('#')) {
        return fail(needs_a_shell(common));
      }
    }
  }
  return CommandLine(std::string(trim(known[std::string(common)] + " " + known[std::string(normal_only)])));
}

Result<std::string> edit_grub_defaults(std::string_view text, std::string_view key,
                                       const Occurrences& values) {
  if (auto safe = check_shell_safe(key, values); !safe) return fail(std::move(safe));
  const auto without = edit_variable(text, normal_only, key, {});
  if (!without) return without;
  return edit_variable(*without, common, key, values);
}

}  // namespace gpuhost
