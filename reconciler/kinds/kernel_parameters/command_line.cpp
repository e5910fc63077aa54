#include "kinds/kernel_parameters/command_line.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

bool is_shell_special(char c) {
  constexpr std::string_view special = "\"'`$\\";
  return c <= ' ' || c > '~' || special.contains(c);
}

}  // namespace

Occurrences CommandLine::of(std::string_view key) const {
  Occurrences values;
  const std::string wanted = underscored(key);
  for (auto& argument : parse_kernel_arguments(text_))
    if (underscored(argument.key) == wanted) values.push_back(std::move(argument.value));
  return values;
}

CommandLine CommandLine::with(std::string_view key, const Occurrences& values) const {
  const std::string wanted = underscored(key);
  const auto arguments = parse_kernel_arguments(text_);
  std::string added = words_for(key, values);
  std::string result;
  std::size_t copied = 0;  // everything before it is in `result` or gone
  const auto copy_to = [&](std::size_t end) {
    result += std::string_view(text_).substr(copied, end - copied);
    copied = end;
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (underscored(arguments[i].key) != wanted) {
      copy_to(arguments[i].end);
      continue;
    }
    if (!added.empty()) {
      copy_to(arguments[i].begin);
      result += std::exchange(added, {});
      copied = arguments[i].end;
    } else if (result.empty() && i + 1 < arguments.size()) {
      copied =
          arguments[i + 1].begin;  // the first word goes with the blanks behind it, others with those before
    } else {
      copied = arguments[i].end;
    }
  }
  if (!added.empty()) {
    result += (result.empty() ? "" : " ") + added;
    // Only a lone `--` with what is init's can follow without a blank.
    if (copied < text_.size() && text_[copied] > ' ') result += ' ';
  }
  copy_to(text_.size());
  return CommandLine(std::move(result));
}

std::vector<std::string> CommandLine::words() const {
  std::vector<std::string> found;
  for (const auto& argument : parse_kernel_arguments(text_))
    found.push_back(text_.substr(argument.begin, argument.end - argument.begin));
  return found;
}

bool added_by_loader(std::string_view key) {
  return key == "BOOT_IMAGE" || key == "initrd" || key == "systemd.machine_id" || key == "vt.handoff";
}

std::vector<std::string> configured_words(const CommandLine& line) {
  auto words = line.words();
  std::erase_if(words, [](const std::string& word) {
    return added_by_loader(std::string_view(word).substr(0, word.find('=')));
  });
  return words;
}

std::string words_for(std::string_view key, const Occurrences& values) {
  std::vector<std::string> found;
  for (const auto& value : values) found.push_back(kernel_word(key, value));
  return join(found, " ");
}

Json json_of(const Occurrences& values) {
  if (values.empty()) return nullptr;
  const auto one = [](const std::optional<std::string>& value) { return value ? Json(*value) : Json(true); };
  if (values.size() == 1) return one(values.front());
  Json list = Json::array();
  for (const auto& value : values) list.push_back(one(value));
  return list;
}

Occurrences occurrences_from(const Json& json) {
  const auto one = [](const Json& value) {
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
  };
  if (json.is_string() || json == true) return {one(json)};
  Occurrences values;
  if (json.is_array())
    for (const auto& value : json) values.push_back(one(value));
  return values;
}

Result<void> check_words(std::string_view key, const Occurrences& values) {
  const auto breaks_out = [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\x7f';
  };
  const bool key_safe = !key.empty() && std::ranges::all_of(key, is_name_character);
  const bool values_safe = std::ranges::none_of(
      values, [&](const auto& value) { return value && std::ranges::any_of(*value, breaks_out); });
  if (key_safe && values_safe) return {};
  return fail(ErrorKind::invalid,
              fmt::format("cannot write kernel parameter '{}': it would not be read back as one", key),
              "set it by hand where this host's boot is configured");
}

Result<void> check_shell_safe(std::string_view key, const Occurrences& values) {
  const bool key_safe = !key.empty() && std::ranges::all_of(key, is_name_character);
  const bool values_safe = std::ranges::none_of(
      values, [](const auto& value) { return value && std::ranges::any_of(*value, is_shell_special); });
  if (key_safe && values_safe) return {};
  return fail(
      ErrorKind::invalid,
      fmt::format("cannot write kernel parameter '{}' where a shell reads it: it has blanks, quotes or other "
                  "characters that mean something there",
                  words_for(key, values)));
}

}  // namespace gpuhost
