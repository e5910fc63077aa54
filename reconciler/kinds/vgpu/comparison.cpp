#include "kinds/vgpu/comparison.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vgpu/mixed_sizes.hpp"
#include "kinds/vgpu/rules.hpp"
#include "kinds/vgpu/steps.hpp"

namespace gpuhost {

namespace {

using Verdict = Finding::Verdict;

std::string text_in(const Json& record, const char* key) {
  if (!record.is_object()) return {};
  const auto found = record.find(key);
  return found != record.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// Parameters that the document's last run set.
VgpuParams recorded_params(const Ownership::Object* record) {
  VgpuParams params;
  if (record == nullptr || !record->applied.is_object() || !record->applied.contains("params")) return params;
  for (const auto& [key, value] : record->applied["params"].items())
    if (value.is_string()) params.emplace(key, value.get<std::string>());
  return params;
}

/// Whether the record is of this GPU, and not of one that was in its place before.
bool is_same_gpu(const Ownership::Object& record, const Gpu& gpu) {
  return is_identity_of(text_in(record.applied, "gpu"), gpu);
}

std::string names_of(const std::vector<Holder>& holders) {
  std::vector<std::string> names;
  for (const auto& holder : holders) names.push_back(sentence_of(holder));
  return join(names, ", ");
}

/// What gpuhost did not make goes only while nobody has it.
void mark_foreign(Step& step, const VgpuState& state, const PresentVgpu& vgpu) {
  step.foreign = true;
  const auto holders = state.holders(vgpu);
  if (holders.empty()) return;
  step.needs.clear();
  step.blocked_by.push_back(
      fmt::format("vGPU {} ({}), which gpuhost did not make, is in use by {}: end that first, or leave out "
                  "'vgpus' of this GPU, so that others manage them",
                  vgpu.shown(), short_type(vgpu.type), names_of(holders)));
}

/// A count that is lowered takes the highest index away, whoever its guest is, and stops nobody for that.
void refuse_if_busy(Step& step, const VgpuState& state, const PresentVgpu& vgpu, const std::string& name) {
  const auto holders = state.holders(vgpu);
  if (holders.empty()) return;
  step.needs.clear();
  step.blocked_by.push_back(
      fmt::format("vGPU {} is in use by {}, and a lower count removes the highest index: end that first, or "
                  "leave the count",
                  name, names_of(holders)));
}

/// One GPU's list against what is there.
class Comparison {
 public:
  Comparison(GpuCase& on, const PlanInput& input, const VgpuHomes& homes, Proposal& proposal)
      : on_(on), input_(input), homes_(homes), proposal_(proposal) {}

  void run() {
    for (const auto& vgpu : on_.wanted) compare(vgpu);
    for (const auto& vgpu : on_.state.on(on_.gpu.address)) look_at_others(vgpu);
    create_missing();
    if (extra_.empty()) return;
    Json wanted = Json::array();
    for (const auto& vgpu : on_.wanted) wanted.push_back(vgpu.name);
    Json there = wanted;
    for (const auto& name : extra_) there.push_back(name);
    proposal_.findings.push_back({.address = on_.address("vgpus"),
                                  .verdict = Verdict::differs,
                                  .desired = std::move(wanted),
                                  .observed = std::move(there)});
  }

 private:
  [[nodiscard]] const Ownership::Object* record_of_object(const Uuid& uuid) const {
    return input_.owned.find(input_.document, vgpu_object(uuid));
  }

  Finding finding_for(const WantedVgpu& vgpu) const {
    Json desired{{"type", short_type(vgpu.spec->type)}};
    if (vgpu.function) desired["function"] = *vgpu.function;
    if (vgpu.placement) desired["placement"] = *vgpu.placement;
    if (!vgpu.spec->params.empty()) desired["params"] = vgpu.spec->params;
    return {.address = on_.address(fmt::format("vgpu[{}]", vgpu.name)),
            .desired = std::move(desired),
            .object = vgpu_object(vgpu.uuid)};
  }

  void compare(const WantedVgpu& vgpu) {
    auto finding = finding_for(vgpu);
    const auto* there = on_.state.find(vgpu.uuid);
    if (there == nullptr)
      compare_missing(vgpu, finding);
    else if (there->type.empty())
      make_unknown(finding, {ErrorKind::io,
                             fmt::format("the type of {} {} cannot be read",
                                         there->mediated ? "mediated device" : "vGPU", there->shown())});
    else
      compare_present(vgpu, *there, finding);
    proposal_.findings.push_back(std::move(finding));
  }

  static void make_unknown(Finding& finding, const Error& why) {
    finding.verdict = Verdict::unknown;
    finding.reason = why.message;
    finding.permission = lacks_permission(why);
  }

  void compare_missing(const WantedVgpu& vgpu, Finding& finding) {
    if (const auto& why = on_.gpu.unreadable ? on_.gpu.unreadable : on_.supported.unknown) {
      make_unknown(finding, *why);
      return;
    }
    finding.verdict = Verdict::differs;
    missing_.push_back(&vgpu);
  }

  void compare_present(const WantedVgpu& vgpu, const PresentVgpu& there, Finding& finding) {
    const auto* function = on_.gpu.function_at(there.parent);
    finding.observed = {{"type", short_type(there.type)}, {"parent", there.parent.to_string()}};
    if (function != nullptr) finding.observed["function"] = function->index;
    if (there.placement) finding.observed["placement"] = *there.placement;
    const bool here = on_.gpu.has(there.parent);
    const bool in_place = here &&
                          (!vgpu.function || (function != nullptr && function->index == *vgpu.function)) &&
                          (!vgpu.placement || vgpu.placement == there.placement) && !on_.switches_sizes();
    if (!in_place || !catalog::same_type(there.type, vgpu.spec->type)) {
      finding.verdict = Verdict::differs;
      replace(vgpu, there);
      return;
    }
    compare_params(vgpu, there, finding);
  }

  void compare_params(const WantedVgpu& vgpu, const PresentVgpu& there, Finding& finding) {
    const auto found = on_.state.params.find(vgpu.uuid);
    if (found == on_.state.params.end() || !on_.state.with_params.contains(vgpu.uuid)) return;
    if (!found->second) {
      make_unknown(finding, found->second.error());
      return;
    }
    const auto& now = *found->second;
    std::vector<std::string> dropped;
    for (const auto& [key, value] : recorded_params(record_of_object(vgpu.uuid)))
      if (!vgpu.spec->params.contains(key) && now.contains(key)) dropped.push_back(key);
    finding.observed["params"] = now;
    if (has_all(now, vgpu.spec->params) && dropped.empty()) return;
    finding.verdict = Verdict::differs;
    proposal_.steps.push_back(params_step(on_, vgpu, there, now, dropped));
  }

  /// It is of another type, or elsewhere: it goes, and is made anew.
  void replace(const WantedVgpu& vgpu, const PresentVgpu& there) {
    const auto* gpu = on_.state.owner_of(vgpu.uuid);
    auto step = remove_step({on_.selected.label, vgpu.name}, *gpu, there, on_.state.domains_with(there));
    step.explanation = "it is made anew, with the type and in the place that the document says";
    step.reason = ActionReason::prerequisite;
    const auto* record = record_of_object(vgpu.uuid);
    if (record == nullptr || !is_same_gpu(*record, *gpu)) mark_foreign(step, on_.state, there);
    proposal_.steps.push_back(std::move(step));
    on_.removed.push_back(&there);
    missing_.push_back(&vgpu);
  }

  /// What is on the GPU and not in its list.
  void look_at_others(const PresentVgpu& vgpu) {
    if (const auto home = homes_.find(vgpu.uuid); home != homes_.end() && home->second) {
      if (*home->second != on_.gpu.address) on_.removed.push_back(&vgpu);  // its new home takes it away
      return;
    }
    const auto id = vgpu.shown();
    const auto shown = fmt::format("{} ({})", id, short_type(vgpu.type));
    const auto* record = record_of_object(vgpu.uuid);
    extra_.push_back(record != nullptr && !text_in(record->applied, "name").empty()
                         ? text_in(record->applied, "name")
                         : shown);
    if (const auto other = input_.owned.other_owner(input_.document, vgpu_object(vgpu.uuid));
        other && !record) {
      proposal_.notes.push_back(
          {Note::Severity::error, VgpuName{on_.selected.label, id}.address(),
           fmt::format(
               "vGPU {} belongs to document '{}', and this document's list, which is exhaustive, leaves "
               "it out",
               shown, *other),
           "take 'vgpus' of this GPU out of one of the two documents"});
      return;
    }
    const auto name = record != nullptr ? text_in(record->applied, "name") : std::string{};
    auto step = remove_step({on_.selected.label, name.empty() ? id : name}, on_.gpu, vgpu,
                            on_.state.domains_with(vgpu));
    if (record != nullptr) {
      step.gives_back = vgpu_object(vgpu.uuid);
      step.reason = ActionReason::removed_from_desired;
    }
    if (record == nullptr || !is_same_gpu(*record, on_.gpu))
      mark_foreign(step, on_.state, vgpu);
    else if (is_of_a_listed_name(name))
      refuse_if_busy(step, on_.state, vgpu, name);
    proposal_.steps.push_back(std::move(step));
    on_.removed.push_back(&vgpu);
  }

  /// "train/3", of which the list has others.
  [[nodiscard]] bool is_of_a_listed_name(std::string_view name) const {
    const auto entry = name.substr(0, name.find('/'));
    return std::ranges::any_of(on_.wanted, [&](const WantedVgpu& vgpu) { return *vgpu.spec->name == entry; });
  }

  [[nodiscard]] bool stays(const WantedVgpu& vgpu) const {
    return on_.state.find(vgpu.uuid) != nullptr && std::ranges::find(missing_, &vgpu) == missing_.end();
  }

  /// In mixed-size mode those that are there keep their placements. Where the others find none then, those
  /// that nobody has make room, the last first, and no more of them than it takes.
  MixedLayout lay_out() {
    std::set<Uuid> staying;
    std::vector<const WantedVgpu*> idle;
    for (const auto& vgpu : on_.wanted) {
      if (!stays(vgpu)) continue;
      staying.insert(vgpu.uuid);
      if (on_.state.holders(*on_.state.find(vgpu.uuid)).empty()) idle.push_back(&vgpu);
    }
    auto layout = mixed_layout(on_, staying);
    while (!layout.problems.empty() && !idle.empty()) {
      staying.erase(idle.back()->uuid);
      idle.pop_back();
      layout = mixed_layout(on_, staying);
    }
    if (layout.problems.empty()) move_to(layout);
    return layout;
  }

  void move_to(const MixedLayout& layout) {
    for (std::size_t i = 0; i < on_.wanted.size(); ++i) {
      const auto& vgpu = on_.wanted[i];
      if (!stays(vgpu)) continue;
      const auto& there = *on_.state.find(vgpu.uuid);
      if (layout.placements[i] && layout.placements[i] != there.placement) replace(vgpu, there);
    }
  }

  void create_missing() {
    if (missing_.empty()) return;
    auto obstacles = obstacles_on(on_);
    const auto layout = on_.is_mixed() ? lay_out() : MixedLayout{};
    std::ranges::copy(layout.problems, std::back_inserter(obstacles));
    auto places = std::vector<Place>(on_.wanted.size());
    if (obstacles.empty()) places = places_for(on_, input_.owned);
    for (std::size_t i = 0; i < layout.placements.size(); ++i) places[i].placement = layout.placements[i];
    for (const auto* missing : missing_) {
      const auto& vgpu = *missing;
      const auto position = static_cast<std::size_t>(missing - on_.wanted.data());
      auto step = create_step(on_, vgpu, places[position]);
      step.blocked_by = obstacles;
      if (!places[position].problem.empty()) step.blocked_by.push_back(places[position].problem);
      std::ranges::move(obstacles_to(on_, vgpu, position), std::back_inserter(step.blocked_by));
      proposal_.steps.push_back(std::move(step));
    }
  }

  GpuCase& on_;
  const PlanInput& input_;
  const VgpuHomes& homes_;
  Proposal& proposal_;
  std::vector<const WantedVgpu*> missing_;
  std::vector<std::string> extra_;  ///< there and not in the list, as findings name them
};

}  // namespace

void compare_vgpus(GpuCase& on, const PlanInput& input, const VgpuHomes& homes, Proposal& proposal) {
  Comparison(on, input, homes, proposal).run();
}

void give_back_vgpu(const VgpuState& state, const std::string& gpu, const Uuid& uuid,
                    const Ownership::Object& record, Proposal& proposal) {
  auto name = text_in(record.applied, "name");
  if (name.empty()) name = uuid.to_string();
  const auto* vgpu = state.find(uuid);
  if (vgpu == nullptr) {
    const auto parent = text_in(record.applied, "parent");
    proposal.steps.push_back(forget_step({parent.empty() ? "unknown" : parent, name}, uuid, "which is gone"));
    return;
  }
  const auto& owner = *state.owner_of(uuid);
  if (!is_same_gpu(record, owner)) {
    proposal.steps.push_back(forget_step({gpu, name}, uuid, "which is on another GPU than it was"));
    proposal.notes.push_back(
        {Note::Severity::warning, VgpuName{gpu, name}.address(),
         fmt::format("vGPU {} is on a GPU that was not there when gpuhost made it, and is left as it is",
                     vgpu->shown()),
         "remove it by hand if nobody needs it"});
    return;
  }
  auto step = remove_step({gpu, name}, owner, *vgpu, state.domains_with(*vgpu));
  step.gives_back = vgpu_object(uuid);
  step.reason = ActionReason::removed_from_desired;
  proposal.steps.push_back(std::move(step));
}

void provide_emptiness(const VgpuState& state, Proposal& proposal) {
  std::map<std::string, Step*> removals;  // by UUID
  for (auto& step : proposal.steps)
    if (step.action.verb == "remove")
      removals.emplace(step.action.arguments.at("uuid").get<std::string>(), &step);
  for (const auto& [gpu, vgpus] : state.vgpus) {
    const auto removal_of = [&](const PresentVgpu& vgpu) { return removals.find(vgpu.uuid.to_string()); };
    const auto is_removed = [&](const PresentVgpu& vgpu) { return removal_of(vgpu) != removals.end(); };
    for (const auto& vgpu : vgpus) {
      const auto stays_beside = [&](const PresentVgpu& other) {
        return other.gpu_instance == vgpu.gpu_instance && !is_removed(other);
      };
      if (vgpu.gpu_instance && std::ranges::none_of(vgpus, stays_beside))
        removal_of(vgpu)->second->provides.push_back(gpu_facts::instance_unused(gpu, *vgpu.gpu_instance));
    }
    if (!std::ranges::all_of(vgpus, is_removed)) continue;
    for (const auto& vgpu : vgpus)
      removal_of(vgpu)->second->provides.push_back(gpu_facts::without_vgpus(gpu));
  }
}

}  // namespace gpuhost
