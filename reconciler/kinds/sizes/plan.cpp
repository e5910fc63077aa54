#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "catalog/boards.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/sizes/kind.hpp"
#include "kinds/vgpu_functions.hpp"

namespace gpuhost {

namespace {

const catalog::Board* board_of(const Gpu& gpu) {
  return catalog::board_of(gpu.device_id, gpu.subsystem_device_id);
}

/// By NVIDIA's guide, and not only for want of one that says so.
bool is_known_to_lack_it(const catalog::Board* board) {
  if (board == nullptr || board->mixed_sizes) return false;
  return std::ranges::any_of(catalog::types_of(*board),
                             [](const catalog::VgpuType& type) { return type.max_mixed == 0U; });
}

/// Turning it on comes after what would clear it.
void need_ground(const Gpu& gpu, const SizesState& state, Step& step) {
  step.needs.push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
  step.needs.push_back(gpu_facts::settled(gpu.address));
  if (vgpus_need_functions(gpu)) step.needs.push_back(gpu_facts::functions_enabled(gpu.address));
  if (!state.has_manager) step.needs.push_back(gpu_facts::manager_installed());
  const auto* report = state.report_of(gpu);
  if (report != nullptr && report->mig && report->mig->mode != GpuSwitch{})
    step.needs.push_back(gpu_facts::mig_mode(gpu.address, false));
}

Step set_step(const Gpu& gpu, std::string_view label, std::string address, bool mixed,
              const SizesState& state) {
  Step step;
  step.action = {std::string(Sizes::kind_name), "set", std::move(address),
                 Json{{"gpu", gpu.address.to_string()}, {"sizes", sizes_word(mixed)}}};
  step.actions = {"update"};
  step.before = sizes_word(!mixed);
  step.after = sizes_word(mixed);
  step.title = mixed ? fmt::format("let vGPUs of mixed sizes share GPU {}", label)
                     : fmt::format("let vGPUs of one size alone share GPU {}", label);
  step.progress = fmt::format("setting the mixed-size mode of GPU {}", label);
  if (mixed)
    need_ground(gpu, state, step);
  else
    step.needs_now = {gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver)};
  if (gpu.has_vgpus()) step.needs.push_back(gpu_facts::without_vgpus(gpu.address));
  step.provides = {gpu_facts::vgpu_sizes(gpu.address, mixed)};
  if (!mixed) step.provides.push_back(gpu_facts::without_mixed_sizes(gpu.address));
  step.ends = {gpu_facts::vgpu_sizes(gpu.address, !mixed)};
  step.affects = {{.type = "gpu", .name = gpu.address.to_string()}};
  step.lanes = {gpu_facts::subject(gpu.address)};
  return step;
}

/// Plans for one GPU of one entry that says something of sizes.
class GpuPlanner {
 public:
  GpuPlanner(const SelectedGpu& selected, const SizesWish& wish, const SizesState& state, Proposal& proposal)
      : selected_(selected),
        gpu_(*selected.gpu),
        board_(board_of(gpu_)),
        wish_(wish),
        state_(state),
        proposal_(proposal) {}

  void plan() {
    const auto seen = state_.mixed_on(gpu_);
    if (!seen || seen->is_absent()) return plan_without_mode(seen.has_value());
    Finding finding = this->finding();
    if (seen->is_unknown()) {
      finding.verdict = Finding::Verdict::unknown;
      finding.reason = seen->reason();
    } else {
      finding.observed = sizes_word(**seen);
      if (**seen != *wish_.mixed) change(finding);
    }
    proposal_.findings.push_back(std::move(finding));
  }

 private:
  [[nodiscard]] std::string title() const {
    return board_ == nullptr ? "GPU " + selected_.label
                             : fmt::format("GPU {} ({})", selected_.label, board_->product);
  }
  [[nodiscard]] std::string address() const { return gpu_address(selected_, Sizes::field); }
  [[nodiscard]] Finding finding() const {
    return {
        .address = address(), .desired = sizes_word(*wish_.mixed), .object = gpu_object(gpu_, Sizes::field)};
  }
  void refuse(std::string message, std::string advice) {
    proposal_.notes.push_back({Note::Severity::error, address(), std::move(message), std::move(advice)});
  }

  [[nodiscard]] bool has_mig_on() const {
    const auto* report = state_.report_of(gpu_);
    return report != nullptr && report->mig && report->mig->mode != GpuSwitch{};
  }

  /// `asked`: the driver has the GPU, and knows no such mode of it. Without the mode all vGPUs have one size.
  void plan_without_mode(bool asked) {
    if (!*wish_.mixed) return;
    if (is_known_to_lack_it(board_) || (asked && state_.has_manager && !has_mig_on()))
      return refuse(fmt::format("{} has no mixed-size mode", title()),
                    "set sizes: equal, or leave it out, and choose vGPUs of one size");
    if (asked && has_mig_on() && !wish_.turns_mig_off)
      return refuse(fmt::format("MIG is on on {}, which has no vGPUs of mixed sizes then", title()),
                    "set mig: disabled in the GPU's entry, or leave out sizes");
    Finding finding = this->finding();
    finding.reason = asked ? "the GPU has no such mode yet" : "NVIDIA's driver does not have the GPU yet";
    change(finding);
    proposal_.steps.back().provisional = true;
    proposal_.findings.push_back(std::move(finding));
  }

  void change(Finding& finding) {
    finding.verdict = Finding::Verdict::differs;
    auto step = set_step(gpu_, selected_.label, address(), *wish_.mixed, state_);
    if (auto why = obstacle_of_scheduler(); !why.empty()) step.blocked_by.push_back(std::move(why));
    step.claims = Claim{finding.object,
                        {{"gpu", identity_of(gpu_)}, {"sizes", sizes_word(!*wish_.mixed)}},
                        sizes_word(*wish_.mixed)};
    proposal_.steps.push_back(std::move(step));
  }

  /// Source: NVIDIA vGPU user guide, "Scheduling Policies for Time-Sliced vGPUs".
  [[nodiscard]] std::string obstacle_of_scheduler() const {
    const auto* report = state_.report_of(gpu_);
    if (!*wish_.mixed || wish_.sets_scheduler || report == nullptr || !report->scheduler ||
        report->scheduler->policy != VgpuScheduler::Policy::fixed_share)
      return {};
    return fmt::format(
        "the vGPU scheduler of {} is fixed-share, which does not go with mixed sizes: set scheduler: "
        "{{policy: "
        "best-effort}} or equal-share in the GPU's entry",
        title());
  }

  const SelectedGpu& selected_;
  const Gpu& gpu_;
  const catalog::Board* board_;
  const SizesWish& wish_;
  const SizesState& state_;
  Proposal& proposal_;
};

/// Nothing: the record is of another GPU, or says none.
std::optional<bool> former_mode(const Ownership::Object& owned, const Gpu& gpu) {
  const auto was = former_text(owned, gpu, "sizes");
  return was == sizes_word(true) || was == sizes_word(false) ? std::optional(was == sizes_word(true))
                                                             : std::nullopt;
}

void give_back(const std::string& object, const Ownership::Object& owned, const Gpu* gpu,
               const SizesState& state, const PlanInput& input, Proposal& proposal) {
  const auto forget = [&] { proposal.steps.push_back(forget_step(Sizes::kind_name, object, owned.applied)); };
  const auto was = gpu == nullptr ? std::nullopt : former_mode(owned, *gpu);
  if (gpu == nullptr || !was) return forget();
  const auto seen = state.mixed_on(*gpu);
  if (!seen || !*seen || **seen == *was) return forget();
  if (has_foreign_vgpus(*gpu, input.owned.of(input.document))) {
    proposal.notes.push_back(
        {Note::Severity::warning, object,
         fmt::format("it is left {}: a vGPU that gpuhost did not make is on the GPU", sizes_word(**seen))});
    return forget();
  }
  auto step = set_step(*gpu, gpu->address.to_string(), object, *was, state);
  step.gives_back = object;
  step.reason = ActionReason::removed_from_desired;
  proposal.steps.push_back(std::move(step));
}

}  // namespace

/// Whoever needs the GPU without what goes with its functions gets it so; the mode comes back before vGPUs
/// do.
std::vector<Offer> Sizes::offer_from(const Fact& fact, const SizesState& state, const PlanInput&) const {
  const auto* inventory = gpus_or_none(*state.inventory);
  if (inventory == nullptr) return {};
  for (const auto& gpu : inventory->gpus) {
    if (fact != gpu_facts::without_mixed_sizes(gpu.address)) continue;
    const auto seen = state.mixed_on(gpu);
    if (!seen || !*seen || !**seen) return {};
    const auto label = gpu.address.to_string();
    const auto object = gpu_object(gpu, field);
    Offer offer{.acquire = set_step(gpu, label, object, false, state),
                .release = set_step(gpu, label, object, true, state)};
    std::erase(offer.release->needs, gpu_facts::without_vgpus(gpu.address));
    offer.release->ends.push_back(fact);
    return {std::move(offer)};
  }
  return {};
}

Proposal Sizes::plan_from(const SizesState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  std::set<PciAddress> kept;
  const bool certain = select_each(wishes_, *inventory, [&](const auto& selected, const auto& wish) {
    kept.insert(selected.gpu->address);
    if (wish.mixed) GpuPlanner(selected, wish, state, proposal).plan();
  });
  if (!certain) return proposal;
  // One that has vGPUs keeps what they were made under, until the document drops them.
  for (const auto& [object, owned] : input.owned.of(input.document))
    if (const auto address = gpu_of_object(object, field); address && !kept.contains(*address))
      give_back(object, owned, inventory->find(*address), state, input, proposal);
  return proposal;
}

}  // namespace gpuhost
