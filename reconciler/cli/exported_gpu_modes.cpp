#include "cli/exported_gpu_modes.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "kinds/display_mode/decode.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/scheduler/kind.hpp"
#include "kinds/vgpu/decode.hpp"
#include "peers/document_draft.hpp"

namespace gpuhost {

namespace {

using Sizes = VgpuSpec::Sizes;
template <class Value, std::size_t Words>
Node word_node(const std::array<Word<Value>, Words>& words, Value value) {
  return plain_node(std::string(std::ranges::find(words, value, &Word<Value>::value)->text));
}

template <class Value, std::size_t Words>
std::optional<Value> value_of(const std::array<Word<Value>, Words>& words, std::string_view text) {
  const auto* word = std::ranges::find(words, text, &Word<Value>::text);
  return word == words.end() ? std::nullopt : std::optional(word->value);
}

/// What the document owns the field as; null: it does not.
const Json* owned_as(const Ownership::Objects& owned, const Gpu& gpu, const char* field) {
  const auto found = owned.find(gpu_object(gpu, field));
  return found == owned.end() ? nullptr : &found->second.applied;
}

/// `written`: as json_of writes it; nothing: it is none.
std::optional<VgpuSpec::Scheduler> scheduler_spec(const Json& written) {
  const auto policy = value_of(policy_words, written.value("policy", std::string{}));
  if (!policy) return std::nullopt;
  VgpuSpec::Scheduler spec{.policy = Located{*policy, Mark{}}};
  const auto number = [&](const char* key) {
    return written.contains(key) ? std::optional(written.value(key, 0U)) : std::nullopt;
  };
  spec.timeslice = number("timeslice");
  spec.frequency = number("frequency");
  spec.averaging = number("averaging");
  return spec;
}

/// Beside one that the document owns, what others set by hand would ask for a registry key that nobody wrote.
std::optional<VgpuSpec::Scheduler> scheduler_of(const Gpu& gpu, const GpuReport& report,
                                                const Ownership::Objects& owned) {
  if (const auto* applied = owned_as(owned, gpu, Scheduler::field);
      applied != nullptr && applied->is_object())
    return scheduler_spec(*applied);
  const bool owns_some = std::ranges::any_of(
      owned, [](const auto& object) { return gpu_of_object(object.first, Scheduler::field).has_value(); });
  if (owns_some || !report.scheduler || report.scheduler->policy == VgpuScheduler::Policy::best_effort)
    return std::nullopt;
  return scheduler_spec(json_of(*report.scheduler));
}

std::optional<DisplayMode> display_of(const Gpu& gpu, const Ownership::Objects& owned) {
  const auto* applied = owned_as(owned, gpu, "display");
  if (applied == nullptr || !applied->is_string()) return std::nullopt;
  return value_of(display_words, applied->get<std::string>());
}

Node scheduler_node(const VgpuSpec::Scheduler& scheduler) {
  Node node = mapping_node();
  add_entry(node, "policy", word_node(policy_words, **scheduler.policy));
  const auto add = [&](const char* key, const std::optional<unsigned>& number) {
    if (number) add_entry(node, key, plain_node(std::to_string(*number)));
  };
  add("timeslice", scheduler.timeslice);
  add("frequency", scheduler.frequency);
  add("averaging", scheduler.averaging);
  return node;
}

}  // namespace

/// ECC that is off was turned off, or is off for the vGPUs of the board.
void add_modes(const Gpu& gpu, const GpuReport& report, const Ownership::Objects& owned, GpuSpecs& specs) {
  if (report.ecc && (!report.ecc->current || owned_as(owned, gpu, "ecc") != nullptr))
    specs.ecc = Located{EccSpec{report.ecc->current}, Mark{}};
  if (const auto display = display_of(gpu, owned)) specs.display_mode = Located{*display, Mark{}};
  if (auto scheduler = scheduler_of(gpu, report, owned))
    specs.vgpu.scheduler = Located{*std::move(scheduler), Mark{}};
  if (report.mixed_sizes && (*report.mixed_sizes || owned_as(owned, gpu, "sizes") != nullptr))
    specs.vgpu.sizes = Located{*report.mixed_sizes ? Sizes::mixed : Sizes::equal, Mark{}};
}

void add_mode_entries(const GpuSpecs& gpu, const ExportFacts& facts, Node& entry) {
  const auto is_so = [&](const char* field) {
    return facts.in_sync(fmt::format("gpu[{}].{}", **gpu.entry.name, field));
  };
  if (gpu.ecc && is_so("ecc")) add_entry(entry, "ecc", plain_node((*gpu.ecc)->enabled ? "true" : "false"));
  if (gpu.display_mode && is_so("display"))
    add_entry(entry, "display", word_node(display_words, **gpu.display_mode));
  if (gpu.vgpu.scheduler && is_so(Scheduler::field) && facts.in_sync("kernel.modules[nvidia]"))
    add_entry(entry, "scheduler", scheduler_node(**gpu.vgpu.scheduler));
  if (gpu.vgpu.sizes && is_so("sizes")) add_entry(entry, "sizes", word_node(sizes_words, **gpu.vgpu.sizes));
}

}  // namespace gpuhost
