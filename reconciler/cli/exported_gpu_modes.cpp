#include "cli/exported_gpu_modes.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "kinds/gpu_selection.hpp"
#include "kinds/scheduler/kind.hpp"
#include "peers/document_draft.hpp"

namespace gpuhost {

namespace {

using Sizes = VgpuSpec::Sizes;
using Policy = VgpuSpec::Scheduler::Policy;

constexpr std::array display_words{std::pair{DisplayMode::display_off, "display-off"},
                                   std::pair{DisplayMode::display_enabled, "display-enabled"},
                                   std::pair{DisplayMode::graphics, "graphics"},
                                   std::pair{DisplayMode::compute, "compute"}};
constexpr std::array policy_words{std::pair{Policy::best_effort, "best-effort"},
                                  std::pair{Policy::equal_share, "equal-share"},
                                  std::pair{Policy::fixed_share, "fixed-share"}};

template <class Words, class Value>
const char* word_of(const Words& words, Value value) {
  return std::ranges::find(words, value, [](const auto& one) { return one.first; })->second;
}

/// What the document owns the field as; null: it does not.
const Json* owned_as(const Ownership::Objects& owned, const Gpu& gpu, const char* field) {
  const auto found = owned.find(gpu_object(gpu, field));
  return found == owned.end() ? nullptr : &found->second.applied;
}

/// `written`: as json_of writes it; nothing: it is none.
std::optional<VgpuSpec::Scheduler> scheduler_spec(const Json& written) {
  const auto* word = std::ranges::find(policy_words, written.value("policy", std::string{}),
                                       [](const auto& one) { return std::string_view(one.second); });
  if (word == policy_words.end()) return std::nullopt;
  VgpuSpec::Scheduler spec{.policy = Located{word->first, Mark{}}};
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
  const auto* word = std::ranges::find(display_words, applied->get<std::string>(),
                                       [](const auto& one) { return std::string_view(one.second); });
  return word == display_words.end() ? std::nullopt : std::optional(word->first);
}

Node scheduler_node(const VgpuSpec::Scheduler& scheduler) {
  Node node = mapping_node();
  add_entry(node, "policy", plain_node(word_of(policy_words, **scheduler.policy)));
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
    add_entry(entry, "display", plain_node(word_of(display_words, **gpu.display_mode)));
  if (gpu.vgpu.scheduler && is_so(Scheduler::field) && facts.in_sync("kernel.modules[nvidia]"))
    add_entry(entry, "scheduler", scheduler_node(**gpu.vgpu.scheduler));
  if (gpu.vgpu.sizes && is_so("sizes"))
    add_entry(entry, "sizes", plain_node(**gpu.vgpu.sizes == Sizes::mixed ? "mixed" : "equal"));
}

}  // namespace gpuhost
