#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "kinds/ecc/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_idle.hpp"
#include "kinds/gpu_ownership.hpp"

namespace gpuhost {

namespace {

const char* word(bool on) {
  return on ? "on" : "off";
}

/// Why the policy does not let a reset end what the GPU's holder does; empty: it does.
std::string obstacle_of_holder(const Holder& holder, const Policy& policy) {
  if (holder.type == Holder::Type::unit && policy.disruption >= Disruption::stop_units) return {};
  return sentence_of(holder) + " holds it";
}

/// Why the mode waits for the next boot, in one phrase; empty: a reset puts it in force now.
std::string reason_to_wait(const Gpu& gpu, const EccState& state, const Policy& policy) {
  if (const auto against = state.against_reset.find(gpu.address); against != state.against_reset.end())
    return against->second;
  if (policy.disruption < Disruption::remove_idle) return policy.way_to_allow(Disruption::remove_idle);
  if (policy.protection_of_gpu(gpu.address)) return "it is protected";
  if (state.usage->unknown())
    return "whether it is in use cannot be told: " + state.usage->unknown()->message;
  for (const auto& holder : state.usage->of(gpu))
    if (auto why = obstacle_of_holder(holder, policy); !why.empty()) return why;
  return {};
}

/// The GPU is not reset while it has virtual functions, and comes back without any.
void need_reset(const Gpu& gpu, const Usage& usage, Step& step) {
  need_idle_once_bound(gpu, usage, step);
  step.needs.push_back(gpu_facts::without_mixed_sizes(gpu.address));
  (gpu.functions.empty() ? step.needs_now : step.needs).push_back(gpu_facts::functions_disabled(gpu.address));
}

/// `waits` as reason_to_wait. What is only pending is not set again.
Step switch_step(const Gpu& gpu, std::string_view label, std::string address, const GpuSwitch& now, bool on,
                 const std::string& waits, const EccState& state) {
  const bool resets = waits.empty();
  Step step;
  step.action = {std::string(Ecc::kind_name), "set", std::move(address),
                 Json{{"gpu", gpu.address.to_string()}, {"on", on}, {"reset", resets}}};
  step.actions = {"update"};
  step.title = resets ? fmt::format("turn ECC of GPU {} {} and reset the GPU", label, word(on))
                      : fmt::format("turn ECC of GPU {} {} for the next boot", label, word(on));
  step.progress = fmt::format("turning ECC of GPU {} {}", label, word(on));
  step.before = {{"running", word(now.current)}, {"next_boot", word(now.pending)}};
  step.after = {{"running", word(resets ? on : now.current)}, {"next_boot", word(on)}};
  if (!resets) step.explanation = fmt::format("the GPU is not reset now: {}", waits);
  step.affects = {{.type = "gpu", .name = gpu.address.to_string()}};
  step.lanes = {gpu_facts::subject(gpu.address)};
  (gpu.driver == gpu_facts::nvidia_driver ? step.needs_now : step.needs)
      .push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
  if (resets) {
    need_reset(gpu, *state.usage, step);
    step.provides = {ecc_fact(gpu.address, on), gpu_facts::settled(gpu.address)};
    step.disruption = Disruption::remove_idle;
  } else {
    step.provides_at_boot = {ecc_fact(gpu.address, on)};
  }
  return step;
}

/// Plans for one GPU of one entry.
class GpuPlanner {
 public:
  GpuPlanner(const SelectedGpu& selected, const EccWish& wish, const EccState& state, const PlanInput& input,
             Proposal& proposal)
      : selected_(selected),
        gpu_(*selected.gpu),
        board_(catalog::board_of(gpu_.device_id, gpu_.subsystem_device_id)),
        wish_(wish),
        state_(state),
        input_(input),
        proposal_(proposal) {}

  void plan() {
    if (wish_.enabled) check_board();
    const auto seen = state_.ecc_of(gpu_);
    if (!seen) return plan_without_driver();
    if (seen->is_absent()) return report_inapplicable();
    auto finding = this->finding();
    if (seen->is_unknown()) {
      finding.verdict = Finding::Verdict::unknown;
      finding.reason = seen->reason();
      proposal_.findings.push_back(std::move(finding));
      return;
    }
    const GpuSwitch now = **seen;
    finding.observed = {{"running", word(now.current)}, {"next_boot", word(now.pending)}};
    if (now != GpuSwitch{wish_.enabled, wish_.enabled}) compare(now, finding);
    proposal_.findings.push_back(std::move(finding));
  }

 private:
  [[nodiscard]] std::string title() const { return "GPU " + selected_.label; }
  [[nodiscard]] std::string address() const { return gpu_address(selected_, Ecc::field); }
  [[nodiscard]] Finding finding() const {
    return {.address = address(), .desired = word(wish_.enabled), .object = gpu_object(gpu_, Ecc::field)};
  }
  void note(Note::Severity severity, std::string message, std::string advice = {}) {
    proposal_.notes.push_back({severity, address(), std::move(message), std::move(advice)});
  }

  /// Sources: NVIDIA vGPU user guide, "Disabling and Enabling ECC Memory".
  void check_board() {
    if (board_ == nullptr || !wish_.for_vgpus) return;
    if (!board_->ecc_with_vgpus)
      note(Note::Severity::error,
           fmt::format("{} is a {}, which has no vGPUs while its ECC is on", title(), board_->product),
           "set ecc: false");
    std::set<std::string> without;
    for (const auto& name : wish_.vgpu_types)
      if (const auto* type = catalog::find_type(*board_, name);
          type != nullptr && (type->series == 'A' || type->series == 'B'))
        without.emplace(type->name);
    if (!without.empty())
      note(Note::Severity::info,
           fmt::format("vGPUs of series A and B run without ECC on {}: {}", title(),
                       join(std::vector<std::string>(without.begin(), without.end()), ", ")));
  }

  /// With the driver comes what it was, so that the step is planned anew then.
  void plan_without_driver() {
    auto finding = this->finding();
    finding.verdict = wish_.with_driver ? Finding::Verdict::differs : Finding::Verdict::unknown;
    finding.reason = fmt::format("NVIDIA's driver, which tells of it, does not have {}{}", title(),
                                 wish_.with_driver ? " yet" : "");
    proposal_.findings.push_back(std::move(finding));
    if (!wish_.with_driver) return;
    auto step = switch_step(gpu_, selected_.label, address(), {!wish_.enabled, !wish_.enabled}, wish_.enabled,
                            reason_to_wait(gpu_, state_, input_.policy), state_);
    step.provisional = true;
    proposal_.steps.push_back(std::move(step));
  }

  /// Not supported is no state: neither is it off.
  void report_inapplicable() {
    if (wish_.enabled)
      note(Note::Severity::error, title() + " has no ECC that can be switched", "leave out ecc");
    else
      note(Note::Severity::info, title() + " has no ECC that can be switched: ecc does not apply to it");
  }

  void compare(const GpuSwitch& now, Finding& finding) {
    const auto waits = reason_to_wait(gpu_, state_, input_.policy);
    finding.reason = waits;
    if (!waits.empty() && now.pending == wish_.enabled) {
      finding.verdict = Finding::Verdict::pending_reboot;
      proposal_.true_at_next_boot.push_back(ecc_fact(gpu_.address, wish_.enabled));
      return;
    }
    finding.verdict = Finding::Verdict::differs;
    auto step = switch_step(gpu_, selected_.label, address(), now, wish_.enabled, waits, state_);
    step.claims =
        Claim{finding.object, {{"gpu", identity_of(gpu_)}, {"ecc", word(now.pending)}}, word(wish_.enabled)};
    proposal_.steps.push_back(std::move(step));
  }

  const SelectedGpu& selected_;
  const Gpu& gpu_;
  const catalog::Board* board_;
  const EccWish& wish_;
  const EccState& state_;
  const PlanInput& input_;
  Proposal& proposal_;
};

/// What the record says it was; nothing: it is of another GPU, or none.
std::optional<bool> former_mode(const Ownership::Object& owned, const Gpu& gpu) {
  const auto was = former_text(owned, gpu, "ecc");
  return was == word(true) || was == word(false) ? std::optional(was == word(true)) : std::nullopt;
}

void give_back(const std::string& object, const Ownership::Object& owned, const Gpu* gpu,
               const EccState& state, const PlanInput& input, Proposal& proposal) {
  const auto warn = [&](const char* why) {
    proposal.notes.push_back({Note::Severity::warning, object, why});
  };
  const auto was = gpu == nullptr ? std::nullopt : former_mode(owned, *gpu);
  if (gpu == nullptr || !was) {
    warn(gpu == nullptr ? "it is left as it is: the GPU is not there any more"
                        : "it is left as it is: what it was before is not known of this GPU");
    proposal.steps.push_back(forget_step(Ecc::kind_name, object, owned.applied));
    return;
  }
  const auto seen = state.ecc_of(*gpu);
  if (!seen || !*seen) return warn("it cannot be given back: NVIDIA's driver does not tell of it");
  const GpuSwitch now = **seen;
  if (now == GpuSwitch{*was, *was}) {
    proposal.steps.push_back(forget_step(Ecc::kind_name, object, word(*was)));
    return;
  }
  const auto waits = reason_to_wait(*gpu, state, input.policy);
  // Owned until it is true: the next boot is not forgotten.
  if (!waits.empty()) {
    proposal.steps.push_back(forget_step(Ecc::kind_name, object, owned.applied));
    proposal.steps.back().needs = {ecc_fact(gpu->address, *was)};
  }
  if (!waits.empty() && now.pending == *was) {
    proposal.findings.push_back({.address = object,
                                 .verdict = Finding::Verdict::pending_reboot,
                                 .desired = word(*was),
                                 .observed = {{"running", word(now.current)}, {"next_boot", word(*was)}},
                                 .reason = waits,
                                 .object = object});
    proposal.true_at_next_boot.push_back(ecc_fact(gpu->address, *was));
    return;
  }
  auto step = switch_step(*gpu, gpu->address.to_string(), object, now, *was, waits, state);
  step.reason = ActionReason::removed_from_desired;
  if (waits.empty()) step.gives_back = object;
  proposal.steps.push_back(std::move(step));
}

}  // namespace

Proposal Ecc::plan_from(const EccState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  std::set<PciAddress> managed;
  const bool certain = select_each(wishes_, *inventory, [&](const auto& selected, const auto& wish) {
    managed.insert(selected.gpu->address);
    GpuPlanner(selected, wish, state, input, proposal).plan();
  });
  if (!certain) return proposal;
  for (const auto& [object, owned] : input.owned.of(input.document)) {
    const auto address = gpu_of_object(object, field);
    if (!address || managed.contains(*address)) continue;
    if (omitted_ == Omitted::given_back)
      give_back(object, owned, inventory->find(*address), state, input, proposal);
    else
      proposal.steps.push_back(forget_step(kind_name, object, owned.applied));
  }
  return proposal;
}

}  // namespace gpuhost
