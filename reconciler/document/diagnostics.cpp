#include "document/diagnostics.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

constexpr std::size_t widest_excerpt = 100;  // bytes of a line that are shown

constexpr auto listed_messages = [] {
  using namespace messages;
  std::array all{&file_too_large,    &not_utf8,
                 &empty_file,        &yaml_syntax,
                 &several_documents, &tag,
                 &too_deep,          &too_many_values,
                 &recursive_alias,   &duplicate_key,
                 &key_not_text,      &unknown_key,
                 &missing_key,       &not_exactly_one,
                 &wrong_type,        &needs_quotes,
                 &not_boolean,       &not_integer,
                 &out_of_range,      &unknown_word,
                 &malformed,         &wrong_api_version,
                 &wrong_kind,        &conflicting_values,
                 &too_many_entries,  &duplicate_name,
                 &undefined_name,    &used_twice,
                 &same_gpu,          &unmanaged_parameter,
                 &refused_unit,      &contradiction,
                 &layout_conflict,   &mode_without_driver,
                 &two_drivers,       &wrong_mode,
                 &mixed_sizes,       &scheduler_keys};
  std::ranges::sort(all, {}, &Message::id);
  return all;
}();

std::string_view line_of(const Source& source, std::uint32_t number) {
  std::string_view rest = source.text;
  for (std::uint32_t line = 1; line < number; ++line) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
  auto line = rest.substr(0, rest.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

bool continues_code_point(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

/// The line with a caret under the column; of a long line the stretch around the column.
std::string excerpt(const Source& source, Mark mark) {
  const auto line = line_of(source, mark.line);
  const std::size_t column = std::min<std::size_t>(mark.column - 1, line.size());
  std::size_t begin =
      line.size() <= widest_excerpt || column < widest_excerpt / 2 ? 0 : column - widest_excerpt / 2;
  while (continues_code_point(line, begin)) ++begin;
  std::size_t end = std::min(line.size(), begin + widest_excerpt);
  while (continues_code_point(line, end)) ++end;

  const std::string before = (begin > 0 ? "…" : "") + escape_for_terminal(line.substr(begin, column - begin));
  const std::string after =
      escape_for_terminal(line.substr(column, end - column)) + (end < line.size() ? "…" : "");
  return fmt::format("{:>6} | {}{}\n{:>6} | {:>{}}\n", mark.line, before, after, "", "^",
                     code_points(before) + 1);
}

}  // namespace

std::span<const Message* const> all_messages() {
  return listed_messages;
}

std::uint32_t Diagnostics::add_source(Source source) {
  sources_.push_back(std::move(source));
  return static_cast<std::uint32_t>(sources_.size() - 1);
}

void Diagnostics::report(const Message& message, Mark mark, std::string text, std::string advice,
                         std::optional<Mark> other) {
  if (problems_.size() >= most_problems) return;
  problems_.push_back({&message, mark, std::move(text), std::move(advice), other});
}

std::vector<Problem> Diagnostics::sorted() const {
  const auto key = [](const Problem& problem) {
    return std::tie(problem.mark, problem.message->id, problem.text, problem.other);
  };
  auto problems = problems_;
  std::ranges::stable_sort(problems, {}, key);
  const auto [first, last] = std::ranges::unique(problems, {}, key);
  problems.erase(first, last);
  return problems;
}

std::string Diagnostics::place(Mark mark) const {
  return fmt::format("{}:{}:{}", escape_for_terminal(sources_[mark.source].name), mark.line, mark.column);
}

std::string Diagnostics::render() const {
  std::string out;
  for (const auto& problem : sorted()) {
    out += fmt::format("{}: {}\n{}", place(problem.mark), escape_for_terminal(problem.text),
                       excerpt(sources_[problem.mark.source], problem.mark));
    if (problem.other)
      out += fmt::format("{}: the other place\n{}", place(*problem.other),
                         excerpt(sources_[problem.other->source], *problem.other));
    if (!problem.advice.empty()) out += fmt::format("       = {}\n", escape_for_terminal(problem.advice));
  }
  if (problems_.size() >= most_problems)
    out += fmt::format("only the first {} problems are shown\n", most_problems);
  return out;
}

}  // namespace gpuhost
