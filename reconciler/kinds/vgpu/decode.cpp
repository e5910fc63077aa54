#include "kinds/vgpu/decode.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

using Sizes = VgpuSpec::Sizes;
using Scheduler = VgpuSpec::Scheduler;
using Policy = Scheduler::Policy;

constexpr unsigned most_vgpus = 4096;  // functions that gpuhost handles on a host
// Virtual GPU Software User Guide, "Changing Scheduling Behavior": RmPVMRL.
constexpr unsigned longest_timeslice = 30;
constexpr unsigned lowest_frequency = 63;
constexpr unsigned highest_frequency = 960;
constexpr unsigned highest_averaging = 60;

/// The last word of a type: board, framebuffer in gigabytes and series, as in "A100-3-20C" or
/// "RTX6000-Ada-48Q".
bool is_short_type(std::string_view text) {
  const auto dash = text.rfind('-');
  if (dash == std::string_view::npos || !formats::is_word(text.substr(0, dash), "-")) return false;
  auto size = text.substr(dash + 1);
  const auto digits = std::min(size.find_first_not_of(formats::digits), size.size());
  size.remove_prefix(digits);
  return digits > 0 && !size.empty() && size.front() >= 'A' && size.front() <= 'Z' &&
         formats::is_word(size, "");
}

bool is_type(std::string_view text) {
  const auto parts = split(text, ' ');
  return std::ranges::all_of(parts, [](auto part) { return formats::is_word(part, "-"); }) &&
         is_short_type(parts.back());
}

const Format vgpu_type{"the name of a vGPU type", "write it as GRID A100-3-20C, or its last word alone",
                       is_type};
const Format param_value{"a value of a vGPU parameter", "use letters, digits, '.', '_' and '-'",
                         [](std::string_view text) { return formats::is_word(text, "._-"); }};
const Format param_name{"the name of a vGPU parameter", "use letters, digits, '.' and '_'",
                        [](std::string_view text) { return formats::is_word(text, "._"); }};

std::map<std::string, std::string> decode_params(const Value& params) {
  std::map<std::string, std::string> decoded;
  for (const auto& param : params.entries().value_or(std::vector<NamedValue>{})) {
    const auto value = param.value.text_or_number(param_value);
    if (!param_name.accepts(param.name))
      param.key.report(messages::malformed, fmt::format("'{}' is not {}", param.name, param_name.what),
                       std::string(param_name.advice));
    else if (value)
      decoded.emplace(param.name, *value);
  }
  return decoded;
}

/// How many vGPUs the entry is about: its count, or else as many as it lists identities.
unsigned decode_count(const Value& count, const Value& identities) {
  if (count) return count.integer(1, most_vgpus).value_or(1);
  const Node* list = identities.node();
  const bool listed = list != nullptr && list->kind == Node::Kind::sequence && !list->items.empty();
  return listed ? static_cast<unsigned>(std::min<std::size_t>(list->items.size(), most_vgpus)) : 1;
}

std::vector<Value> one_for_each(const Value& values, unsigned count) {
  auto list = values.list();
  if (list && list->size() != count)
    values.report(messages::out_of_range, fmt::format("{} values for {} vGPUs", list->size(), count),
                  "give one for each vGPU");
  return list ? std::move(*list) : std::vector<Value>{};
}

std::vector<Located<Uuid>> decode_uuids(const Value& uuids, unsigned count) {
  std::vector<Located<Uuid>> decoded;
  for (const auto& item : one_for_each(uuids, count))
    if (const auto text = item.text(formats::uuid)) decoded.push_back({*Uuid::parse(*text), item.mark()});
  return decoded;
}

std::vector<unsigned> decode_numbers(const Value& numbers, unsigned count, unsigned most) {
  std::vector<unsigned> decoded;
  for (const auto& item : one_for_each(numbers, count))
    if (const auto number = item.integer(0, most)) decoded.push_back(*number);
  return decoded;
}

VgpuSpec::Vgpus decode_vgpus(const Value& item) {
  MapReader reader = item.mapping();
  VgpuSpec::Vgpus vgpus;
  const Value name = reader.required("name");
  vgpus.name = {name.text(formats::name).value_or(""), name.mark()};
  vgpus.type = reader.required("type").text(vgpu_type).value_or("");
  const Value instance = reader.at("instance");
  if (auto text = instance.text(formats::name)) vgpus.instance = Located{std::move(*text), instance.mark()};
  vgpus.params = decode_params(reader.at("params"));

  const Value uuids = reader.at("uuids");
  const Value vfs = reader.at("vfs");
  if (uuids && vfs)
    vfs.report(messages::not_exactly_one, "only one of 'uuids', 'vfs' can be given",
               "uuids name mediated devices, vfs virtual functions", uuids.mark());
  vgpus.count = decode_count(reader.at("count"), uuids ? uuids : vfs);
  vgpus.uuids = decode_uuids(uuids, vgpus.count);
  vgpus.vfs = decode_numbers(vfs, vgpus.count, most_vgpus - 1);
  if (const Value placement = reader.at("placement"))
    vgpus.placement = Located{decode_numbers(placement, vgpus.count, most_vgpus - 1), placement.mark()};
  return vgpus;
}

void check_names(const std::vector<VgpuSpec::Vgpus>& vgpus, const Value& value) {
  for (auto at = vgpus.begin(); at != vgpus.end(); ++at) {
    const auto first =
        std::find_if(vgpus.begin(), at, [&](const auto& other) { return *other.name == *at->name; });
    if (first != at && !at->name->empty())
      value.report_at(at->name.mark, messages::duplicate_name,
                      fmt::format("another vGPU entry of this GPU has the name '{}'", *at->name), {},
                      first->name.mark);
  }
}

/// NVIDIA's time slice is set either itself or as a frequency with an averaging factor (strict round robin).
void check_keys(const Scheduler& scheduler, MapReader& reader) {
  const bool shares = scheduler.policy && **scheduler.policy != Policy::best_effort;
  for (const std::string_view key : {"timeslice", "frequency", "averaging"})
    if (const Value given = reader.at(key); given && scheduler.policy && !shares)
      given.report(messages::scheduler_keys, fmt::format("the policy best-effort has no '{}'", key),
                   "remove it, or choose equal-share or fixed-share", scheduler.policy->mark);
  const Value timeslice = reader.at("timeslice");
  const Value frequency = reader.at("frequency");
  const Value averaging = reader.at("averaging");
  if (!shares) return;
  if (timeslice && (frequency || averaging))
    timeslice.report(messages::scheduler_keys, "'timeslice' stands beside 'frequency' or 'averaging'",
                     "give the time slice, or the frequency with the averaging factor");
  else if (frequency.node() == nullptr && averaging)
    averaging.report(messages::scheduler_keys, "'averaging' needs 'frequency'");
  else if (frequency && averaging.node() == nullptr)
    frequency.report(messages::scheduler_keys, "'frequency' needs 'averaging'");
}

std::optional<Located<Scheduler>> decode_scheduler(const Value& value) {
  if (!value) return std::nullopt;
  MapReader reader = value.mapping();
  Scheduler scheduler;
  const Value policy = reader.required("policy");
  if (const auto word = policy.word<Policy>(policy_words)) scheduler.policy = Located{*word, policy.mark()};
  scheduler.timeslice = reader.at("timeslice").integer(1, longest_timeslice);
  scheduler.frequency = reader.at("frequency").integer(lowest_frequency, highest_frequency);
  scheduler.averaging = reader.at("averaging").integer(1, highest_averaging);
  check_keys(scheduler, reader);
  return Located{scheduler, value.mark()};
}

}  // namespace

VgpuSpec decode_vgpu(MapReader& gpu) {
  VgpuSpec spec;
  const Value vgpus = gpu.at("vgpus");
  if (const auto list = vgpus.list()) {
    spec.vgpus = Located{std::vector<VgpuSpec::Vgpus>{}, vgpus.mark()};
    for (const auto& item : *list) spec.vgpus->value.push_back(decode_vgpus(item));
    check_names(spec.vgpus->value, vgpus);
  }
  const Value sizes = gpu.at("sizes");
  if (const auto word = sizes.word<Sizes>(sizes_words)) spec.sizes = Located{*word, sizes.mark()};
  spec.scheduler = decode_scheduler(gpu.at("scheduler"));
  return spec;
}

}  // namespace gpuhost
