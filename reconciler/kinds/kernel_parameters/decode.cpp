#include "kinds/kernel_parameters/decode.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

const Format parameter_key{
    "the name of a kernel parameter", "use letters, digits, '_', '-' and '.'",
    [](std::string_view text) { return formats::is_word(text, "_-.") && !text.starts_with('-'); }};

/// What the boot loader sets for each entry, and what would keep the host from coming up again.
constexpr std::array<std::string_view, 7> not_ours{"root",   "ro",         "rw",    "init",
                                                   "rdinit", "BOOT_IMAGE", "initrd"};

bool check_key(const NamedValue& parameter) {
  if (!parameter_key.accepts(parameter.name)) {
    parameter.key.report(messages::malformed,
                         fmt::format("'{}' is not {}", parameter.name, parameter_key.what),
                         std::string(parameter_key.advice));
    return false;
  }
  if (std::ranges::find(not_ours, underscored(parameter.name)) != not_ours.end()) {
    parameter.key.report(messages::unmanaged_parameter,
                         fmt::format("'{}' is not for gpuhost to set", parameter.name),
                         "the boot loader's own configuration sets it for each entry");
    return false;
  }
  return true;
}

std::vector<std::string> decode_values(const Value& values) {
  std::vector<std::string> decoded;
  const auto list = values.list();
  if (list && list->empty())
    values.report(messages::out_of_range, "the list of values is empty",
                  "write {state: present} for a key alone, {state: absent} for none");
  for (const auto& value : list.value_or(std::vector<Value>{}))
    if (auto text = value.text_or_number(formats::kernel_value)) decoded.push_back(std::move(*text));
  return decoded;
}

void decode_mapping(const Value& value, KernelParameterSpec& spec) {
  constexpr std::array<Word<bool>, 2> states{{{"present", true}, {"absent", false}}};
  MapReader reader = value.mapping();
  const Value state = reader.at("state");
  const Value values = reader.at("values");
  spec.present = state.word<bool>(states).value_or(true);
  spec.values = decode_values(values);
  if (reader && !state && !values)
    reader.report(messages::not_exactly_one, "one of 'state', 'values' is missing");
  if (!spec.present && values)
    values.report(messages::contradiction, "an absent parameter has no values", "remove one of the two",
                  state.mark());
}

}  // namespace

std::vector<KernelParameterSpec> decode_kernel_parameters(MapReader& kernel) {
  std::vector<KernelParameterSpec> specs;
  std::map<std::string, Mark> seen;
  for (const auto& parameter : kernel.at("parameters").entries().value_or(std::vector<NamedValue>{})) {
    KernelParameterSpec spec{.key = parameter.name, .present = true, .values = {}};
    if (const auto* node = parameter.value.node(); node->kind == Node::Kind::mapping)
      decode_mapping(parameter.value, spec);
    else if (auto text = parameter.value.text_or_number(formats::kernel_value))
      spec.values = {std::move(*text)};
    if (!check_key(parameter)) continue;
    const auto [same, added] = seen.emplace(underscored(parameter.name), parameter.key.mark());
    if (!added)
      parameter.key.report(messages::duplicate_name,
                           fmt::format("'{}' is the same parameter", parameter.name),
                           "'-' and '_' are the same; keep one", same->second);
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace gpuhost
