#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vgpu/comparison.hpp"
#include "kinds/vgpu/gpu_case.hpp"
#include "kinds/vgpu/steps.hpp"

namespace gpuhost {

namespace {

/// ["train/0", "train/1"]
Json names_in(const VgpuSpec& spec) {
  Json names = Json::array();
  for (const auto& vgpu : wanted_vgpus(spec, {}, Uuid{})) names.push_back(vgpu.name);
  return names;
}

GpuCase case_of(const ForGpus<VgpuSpec>& entry, const SelectedGpu& selected, const VgpuState& state) {
  static const SupportedTypes nothing;
  const auto& gpu = *selected.gpu;
  const auto types = state.types.find(gpu.address);
  const auto mig = state.mig.find(gpu.address);
  const auto mixed = state.mixed.find(gpu.address);
  const auto& sizes = entry.spec.sizes;
  return {.state = state,
          .selected = selected,
          .gpu = gpu,
          .supported = types == state.types.end() ? nothing : types->second,
          .board = catalog::board_of(gpu.device_id, gpu.subsystem_device_id),
          .wanted =
              state.space ? wanted_vgpus(entry.spec, selected.name, *state.space) : std::vector<WantedVgpu>{},
          .removed = {},
          .mig = mig == state.mig.end() ? nullptr : &mig->second,
          .instances = entry.spec.instances ? &*entry.spec.instances : nullptr,
          .manages_mig = entry.spec.manages_mig,
          .wants_mixed = sizes ? std::optional(**sizes == VgpuSpec::Sizes::mixed) : std::nullopt,
          .mixed_now = mixed == state.mixed.end() ? std::nullopt : std::optional(mixed->second)};
}

/// Plans for all entries together: a vGPU may have moved from one to another.
class Planner {
 public:
  Planner(const std::vector<ForGpus<VgpuSpec>>& entries, const VgpuState& state, const PlanInput& input)
      : entries_(entries), state_(state), input_(input) {}

  Proposal plan() {
    for (const auto& entry : entries_) add_entry(entry);
    if (!listed_.empty() && !state_.space) {
      unknown_identities(state_.space.error());
      return std::move(proposal_);
    }
    for (const auto& [entry, on] : listed_)
      for (const auto& vgpu : on.wanted) add_wanted(on, vgpu);
    for (auto& [entry, on] : listed_) compare_vgpus(on, input_, homes_, proposal_);
    for (const auto& [entry, on] : listed_) note_mdevctl(on);
    if (!uncertain_) give_back_rest();
    provide_emptiness(state_, proposal_);
    note_domains();
    return std::move(proposal_);
  }

 private:
  struct Listed {
    const ForGpus<VgpuSpec>* entry;
    GpuCase on;
  };

  void add_entry(const ForGpus<VgpuSpec>& entry) {
    const auto selection = select_gpus(entry.entry, *state_.gpus());
    uncertain_ = uncertain_ || !selection.unknown.empty();
    for (const auto& selected : selection.gpus) {
      labels_.emplace(selected.gpu->address, selected.label);
      if (!lists_vgpus(entry)) {
        note_unmanaged(selected);
        continue;
      }
      auto on = case_of(entry, selected, state_);
      listed_.push_back({&entry, std::move(on)});
    }
    // What a GPU that is away had is not given up.
    for (const auto& name : selection.absent)
      for (const auto& vgpu : wanted_vgpus(entry.spec, name, state_.space.value_or(Uuid{})))
        homes_.try_emplace(vgpu.uuid, std::nullopt);
  }

  void add_wanted(const GpuCase& on, const WantedVgpu& vgpu) {
    const auto [home, added] = homes_.emplace(vgpu.uuid, on.gpu.address);
    if (added || !home->second) return;
    proposal_.notes.push_back(
        {Note::Severity::error, on.address(fmt::format("vgpu[{}]", vgpu.name)),
         fmt::format("the UUID {} is that of another vGPU of the document too", vgpu.uuid.to_string()),
         "give each vGPU a UUID of its own; an entry that selects several GPUs can give none"});
  }

  void unknown_identities(const Error& why) {
    for (const auto& [entry, on] : listed_)
      if (entry->spec.vgpus && !(**entry->spec.vgpus).empty())
        proposal_.findings.push_back({.address = on.address("vgpus"),
                                      .verdict = Finding::Verdict::unknown,
                                      .desired = names_in(entry->spec),
                                      .reason = why.message + (why.advice.empty() ? "" : "; " + why.advice),
                                      .permission = lacks_permission(why)});
  }

  void note_unmanaged(const SelectedGpu& selected) {
    const auto foreign =
        std::ranges::count_if(state_.on(selected.gpu->address), [&](const PresentVgpu& vgpu) {
          return input_.owned.find(input_.document, vgpu_object(vgpu.uuid)) == nullptr;
        });
    if (foreign > 0)
      proposal_.unmanaged.push_back(
          {gpu_address(selected, "vgpus"), fmt::format("{} of others, left as they are", foreign)});
  }

  void note_mdevctl(const GpuCase& on) {
    for (const auto& start : state_.mdevctl_starts) {
      if (!on.gpu.has(start.parent)) continue;
      proposal_.notes.push_back(
          {Note::Severity::warning, on.address("vgpus"),
           fmt::format("mdevctl or libvirt starts the mediated device {} on {} at boot ({}), in a race with "
                       "gpuhost",
                       start.uuid, start.parent.to_string(), start.path),
           fmt::format("run mdevctl modify --uuid {} --parent {} --manual, or undefine it", start.uuid,
                       start.parent.to_string())});
    }
  }

  /// Owned vGPUs that no list speaks of any more: their entry is gone, or its `vgpus`.
  void give_back_rest() {
    for (const auto& [object, record] : input_.owned.of(input_.document)) {
      const auto uuid = vgpu_of_object(object);
      if (!uuid || homes_.contains(*uuid)) continue;
      const auto* gpu = state_.owner_of(*uuid);
      if ((gpu != nullptr && is_listed(*gpu)) || is_passed_on(*uuid, record)) continue;
      give_back_vgpu(state_, label_of(gpu), *uuid, record, proposal_);
    }
  }

  /// The document lists the function under another name, as an export does: it is still its own.
  [[nodiscard]] bool is_passed_on(const Uuid& uuid, const Ownership::Object& owned) const {
    const auto record = vgpu_record(owned);
    for (const auto& [address, vgpus] : state_.vgpus) {
      const auto& gpu = *state_.gpus()->find(address);
      if (!is_identity_of(record.gpu, gpu)) continue;
      for (const auto& vgpu : vgpus) {
        const auto* function = gpu.function_at(vgpu.parent);
        if (!vgpu.mediated && vgpu.uuid != uuid && function != nullptr &&
            function->index == record.function && homes_.contains(vgpu.uuid))
          return true;
      }
    }
    return false;
  }

  [[nodiscard]] bool is_listed(const Gpu& gpu) const {
    return std::ranges::any_of(listed_, [&](const Listed& listed) { return &listed.on.gpu == &gpu; });
  }

  [[nodiscard]] std::string label_of(const Gpu* gpu) const {
    if (gpu == nullptr) return {};
    const auto label = labels_.find(gpu->address);
    return label != labels_.end() ? label->second : gpu->address.to_string();
  }

  void note_domains() {
    const bool removes =
        std::ranges::any_of(proposal_.steps, [](const Step& step) { return step.action.verb == "remove"; });
    if (removes && state_.defined && state_.defined->unknown)
      proposal_.notes.push_back({Note::Severity::info, "vgpus",
                                 "which stopped VMs have the vGPUs that are removed cannot be told: " +
                                     state_.defined->unknown->message});
  }

  const std::vector<ForGpus<VgpuSpec>>& entries_;
  const VgpuState& state_;
  const PlanInput& input_;
  Proposal proposal_;
  std::vector<Listed> listed_;
  VgpuHomes homes_;
  std::map<PciAddress, std::string> labels_;
  bool uncertain_ = false;
};

}  // namespace

Proposal Vgpu::plan_from(const VgpuState& state, const PlanInput& input) const {
  // The kind gpus says why there is nothing to plan with.
  if (!state.running || state.gpus() == nullptr) return {};
  return Planner(entries_, state, input).plan();
}

}  // namespace gpuhost
