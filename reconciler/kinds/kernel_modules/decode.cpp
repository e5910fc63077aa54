#include "kinds/kernel_modules/decode.hpp"

#include <array>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

using State = KernelModuleSpec::State;

constexpr std::array<Word<State>, 3> state_words{
    {{"loaded", State::loaded}, {"unloaded", State::unloaded}, {"blocked", State::blocked}}};

const Format module_name{
    "the name of a kernel module", "use letters, digits, '_' and '-'",
    [](std::string_view text) { return formats::is_word(text, "_-") && !text.starts_with('-'); }};
const Format option_name{
    "the name of a module option", "use letters, digits and '_'",
    [](std::string_view text) { return formats::is_word(text, "_-.") && !text.starts_with('-'); }};

/// Whether a free key is of the form; reported at the key.
bool check_key(const NamedValue& entry, const Format& format) {
  if (format.accepts(entry.name)) return true;
  entry.key.report(messages::malformed, fmt::format("'{}' is not {}", entry.name, format.what),
                   std::string(format.advice));
  return false;
}

/// Reports a second spelling of a name that differs in `-` and `_` only.
void check_spelling(const NamedValue& entry, std::string_view what, std::map<std::string, Mark>& seen) {
  const auto [same, added] = seen.emplace(underscored(entry.name), entry.key.mark());
  if (!added)
    entry.key.report(messages::duplicate_name, fmt::format("'{}' is the same {}", entry.name, what),
                     "'-' and '_' are the same; keep one", same->second);
}

std::map<std::string, std::string> decode_options(const Value& options) {
  std::map<std::string, std::string> decoded;
  std::map<std::string, Mark> seen;
  for (const auto& option : options.entries().value_or(std::vector<NamedValue>{})) {
    const auto value = option.value.text_or_number(formats::kernel_value);
    if (!check_key(option, option_name)) continue;
    check_spelling(option, "option", seen);
    if (value) decoded.emplace(option.name, *value);
  }
  return decoded;
}

}  // namespace

std::vector<KernelModuleSpec> decode_kernel_modules(MapReader& kernel) {
  std::vector<KernelModuleSpec> specs;
  std::map<std::string, Mark> seen;
  for (const auto& module : kernel.at("modules").entries().value_or(std::vector<NamedValue>{})) {
    MapReader reader = module.value.mapping();
    const auto state = reader.required("state").word<State>(state_words);
    auto options = decode_options(reader.at("options"));
    if (!check_key(module, module_name)) continue;
    check_spelling(module, "module", seen);
    specs.push_back(
        {.name = module.name, .state = state.value_or(State::loaded), .options = std::move(options)});
  }
  return specs;
}

}  // namespace gpuhost
