#include "kinds/mig/decode.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

using Mode = MigSpec::Mode;

// Memory slices, more than any board has (12, on RTX PRO 6000 Blackwell); what fits a board is the
// catalogue's to say.
constexpr unsigned most_slices = 16;

constexpr std::array<Word<Mode>, 2> mode_words{{{"auto", Mode::automatic}, {"disabled", Mode::disabled}}};

/// A number from 1 followed by `unit`: "3g", "20gb".
bool is_amount(std::string_view text, std::string_view unit) {
  if (!text.ends_with(unit)) return false;
  text.remove_suffix(unit.size());
  return !text.empty() && text.size() <= 4 && text.front() != '0' &&
         text.find_first_not_of(formats::digits) == std::string_view::npos;
}

/// Attributes as in "+me", "-me", "+me.all", "+gfx".
bool is_attribute(std::string_view text) {
  const auto parts = split(text, '.');
  return parts.size() <= 2 && std::ranges::all_of(parts, [](auto part) {
           return !part.empty() &&
                  part.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string_view::npos;
         });
}

/// Tools that name resources of Kubernetes write the attribute with a dot: "1g.10gb.me".
bool is_gpu_profile(std::string_view text) {
  constexpr std::string_view unit = "gb";
  const auto unit_at = text.find(unit);
  if (unit_at == std::string_view::npos) return false;
  const auto size_end = unit_at + unit.size();
  const auto size = split(text.substr(0, size_end), '.');
  if (size.size() != 2 || !is_amount(size[0], "g") || !is_amount(size[1], unit)) return false;
  const auto attribute = text.substr(size_end);
  return attribute.empty() || (std::string_view("+-.").find(attribute.front()) != std::string_view::npos &&
                               is_attribute(attribute.substr(1)));
}

bool is_compute_profile(std::string_view text) {
  const auto dot = text.find('.');
  return dot != std::string_view::npos && is_amount(text.substr(0, dot), "c") &&
         is_gpu_profile(text.substr(dot + 1));
}

const Format gpu_profile{"a MIG profile", "write it as 3g.20gb or 1g.10gb+me", is_gpu_profile};
const Format compute_profile{"the profile of a compute instance", "write it as 1c.3g.20gb",
                             is_compute_profile};

std::vector<unsigned> decode_placement(const Value& placement, unsigned count) {
  std::vector<unsigned> starts;
  const auto list = placement.list().value_or(std::vector<Value>{});
  for (const auto& item : list)
    if (const auto start = item.integer(0, most_slices - 1)) starts.push_back(*start);
  if (placement.node() != nullptr && placement.node()->kind == Node::Kind::sequence && list.size() != count)
    placement.report(messages::out_of_range,
                     fmt::format("{} placements for {} instances", list.size(), count),
                     "give one for each instance, or none");
  return starts;
}

std::optional<std::vector<MigSpec::ComputeInstances>> decode_compute(const Value& compute) {
  const auto list = compute.list();
  if (!list) return std::nullopt;
  std::vector<MigSpec::ComputeInstances> decoded;
  for (const auto& item : *list) {
    MapReader reader = item.mapping();
    decoded.push_back({.profile = reader.required("profile").text(compute_profile).value_or(""),
                       .count = reader.at("count").integer(1, most_slices).value_or(1)});
  }
  return decoded;
}

MigSpec::GpuInstances decode_instances(const Value& item) {
  MapReader reader = item.mapping();
  MigSpec::GpuInstances instances;
  const Value name = reader.at("name");
  if (auto text = name.text(formats::name)) instances.name = Located{std::move(*text), name.mark()};
  instances.profile = reader.required("profile").text(gpu_profile).value_or("");
  instances.count = reader.at("count").integer(1, most_slices).value_or(1);
  instances.placement = decode_placement(reader.at("placement"), instances.count);
  instances.compute = decode_compute(reader.at("compute"));
  return instances;
}

void check_names(const MigSpec& spec, const Value& value) {
  for (auto at = spec.instances.begin(); at != spec.instances.end(); ++at) {
    if (!at->name) continue;
    const auto first = std::find_if(spec.instances.begin(), at, [&](const auto& other) {
      return other.name && other.name->value == at->name->value;
    });
    if (first != at)
      value.report_at(at->name->mark, messages::duplicate_name,
                      fmt::format("another MIG instance of this GPU has the name '{}'", at->name->value), {},
                      first->name->mark);
  }
}

}  // namespace

std::optional<Located<MigSpec>> decode_mig(MapReader& gpu) {
  const Value value = gpu.at("mig");
  if (!value) return std::nullopt;
  MigSpec spec;
  if (value.node()->kind == Node::Kind::scalar) {
    const auto mode = value.word<Mode>(mode_words);
    if (!mode) return std::nullopt;
    spec.mode = *mode;
    return Located{spec, value.mark()};
  }
  const auto list = value.list();
  if (!list) return std::nullopt;
  for (const auto& item : *list) spec.instances.push_back(decode_instances(item));
  check_names(spec, value);
  return Located{std::move(spec), value.mark()};
}

}  // namespace gpuhost
