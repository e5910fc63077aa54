#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/mig/misfit.hpp"
#include "kinds/mig/profiles.hpp"
#include "kinds/mig/steps.hpp"

namespace gpuhost {

namespace {

/// Plans for one GPU of one entry.
class GpuPlanner {
 public:
  GpuPlanner(const SelectedGpu& selected, const MigWish& wish, const Usage& usage, const PlanInput& input,
             Proposal& proposal)
      : selected_(selected),
        gpu_(*selected.gpu),
        wish_(wish),
        usage_(usage),
        input_(input),
        proposal_(proposal) {}

  /// `seen` as MigLayoutsState::mig_of tells.
  void plan(const std::optional<Observed<Mig>>& seen) {
    if (seen && seen->is_unknown()) return report_unknown(seen->reason());
    if (seen && seen->is_absent()) return report_impossible();
    // A GPU that NVIDIA's driver does not have has no instances; its mode shows once the driver has it.
    yet_to_come_ = !seen;
    if (seen) mig_ = **seen;
    choose_profiles();
    const auto* board = catalog::board_of(gpu_.device_id, gpu_.subsystem_device_id);
    wanted_ = wanted_mig(wish_, *mig_.profiles, board, title());
    if (mig_.mode.current && mig_.instances.is_unknown()) return report_unknown(mig_.instances.reason());
    if (mig_.instances && mig_.mode.current) present_ = *mig_.instances;
    plan_mode();
    if (!wanted_.problems.empty()) return report_problems();
    plan_layout();
  }

 private:
  [[nodiscard]] std::string title() const { return "GPU " + selected_.label; }
  [[nodiscard]] std::string address(std::string_view label) const {
    return gpu_address(selected_, fmt::format("mig[{}]", label));
  }
  [[nodiscard]] bool owns(const std::string& object) const {
    return input_.owned.find(input_.document, object) != nullptr;
  }

  void error(std::string message, std::string advice) {
    proposal_.notes.push_back(
        {Note::Severity::error, gpu_address(selected_, "mig"), std::move(message), std::move(advice)});
  }

  void report_unknown(const std::string& why) {
    proposal_.findings.push_back({.address = gpu_address(selected_, mig_mode_field),
                                  .verdict = Finding::Verdict::unknown,
                                  .reason = why,
                                  .object = gpu_object(gpu_, mig_mode_field)});
  }

  void report_impossible() {
    if (!wanted_mig(wish_, {}, nullptr, title()).on && wish_.spec.mode != MigSpec::Mode::automatic) return;
    error(fmt::format("{} cannot be partitioned", title()), "leave out mig");
  }

  /// What the GPU tells stands above the catalogue.
  void choose_profiles() {
    const auto known = known_mig_profiles(gpu_.device_id);
    if (!mig_.profiles) {
      mig_.profiles = known;
      return;
    }
    for (const auto& told : *mig_.profiles) {
      const auto* listed = find_profile(known, std::string_view(told.name));
      if (listed != nullptr && listed->placements != told.placements)
        proposal_.notes.push_back(
            {Note::Severity::warning, gpu_address(selected_, "mig"),
             fmt::format("{} tells other placements of {} than the catalogue has", title(), told.name),
             "plans made off-host may differ from those made here"});
    }
  }

  void plan_mode() {
    const bool settled = mig_.mode.current == wanted_.on && mig_.mode.pending == wanted_.on;
    Finding finding{.address = gpu_address(selected_, mig_mode_field),
                    .desired = wanted_.on ? "on" : "off",
                    .observed = yet_to_come_ ? Json() : Json(mig_.mode.current ? "on" : "off"),
                    .object = gpu_object(gpu_, mig_mode_field)};
    if (yet_to_come_) {
      finding.verdict = Finding::Verdict::differs;
      finding.reason = "NVIDIA's driver does not have the GPU yet";
    } else if (!settled) {
      finding.verdict = Finding::Verdict::differs;
    }
    proposal_.findings.push_back(std::move(finding));
    changes_mode_ = yet_to_come_ ? wanted_.on : !settled;
    if (!changes_mode_) return;
    auto step = mode_step(selected_, mig_.mode, wanted_.on, usage_);
    step.provisional = yet_to_come_;
    if (!wanted_.on)
      for (const auto& instance : present_) step.needs.push_back(gone_fact(gpu_, instance.id));
    proposal_.steps.push_back(std::move(step));
  }

  void report_problems() {
    for (auto& problem : wanted_.problems) error(std::move(problem.message), std::move(problem.advice));
  }

  void plan_layout() {
    const auto wanted = wanted_.to_solve();
    // Making virtual functions takes the GPU from its driver, and with it all instances.
    const bool all_go = (wish_.functions && gpu_.functions.empty()) || !wanted_.on;
    const std::span<const GpuInstance> staying = all_go ? std::span<const GpuInstance>() : present_;
    auto layout = solve_layout(*mig_.profiles, staying, wanted);
    if (!layout) layout = solve_layout(*mig_.profiles, staying, wanted, BusyInstances::may_go);
    if (!layout) {
      const auto misfit = explain_misfit(*mig_.profiles, staying, wanted);
      return error(fmt::format("{}: {}", title(), misfit.reason), misfit.advice);
    }
    for (const auto& instance : present_)
      if (all_go || std::ranges::find(layout->destroyed, instance.id) != layout->destroyed.end())
        destroyed_.push_back(&instance);
    std::set<std::string> objects;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      objects.insert(plan_instance(wanted_.instances[i], layout->places[i]));
    for (const auto* instance : destroyed_) objects.insert(plan_destruction(*instance, objects));
    forget_lost(objects);
  }

  const GpuInstance* present(std::optional<unsigned> id) const {
    const auto found = std::ranges::find(present_, id, &GpuInstance::id);
    return found == present_.end() ? nullptr : &*found;
  }

  /// Yields the object that it is in ownership.
  std::string plan_instance(const NamedInstance& wanted, const MigLayout::Place& place) {
    const auto text = instance_text(wanted.profile->name, place.placement.start);
    Finding finding{.address = address(wanted.label), .desired = text, .object = instance_object(gpu_, text)};
    auto object = finding.object;
    const auto* there = present(place.kept);
    if (there == nullptr) {
      finding.verdict = Finding::Verdict::differs;
      add_creation(wanted, place.placement);
    } else {
      finding.observed = text;
      if (wanted.compute && !has_compute(*there, *wanted.compute)) {
        finding.verdict = Finding::Verdict::differs;
        finding.reason = "its compute instances differ";
        auto step = compute_step(selected_, wanted, *there);
        if (!owns(object)) step.claims.reset();
        proposal_.steps.push_back(std::move(step));
      }
    }
    proposal_.findings.push_back(std::move(finding));
    return object;
  }

  static bool has_compute(const GpuInstance& instance, const std::vector<unsigned>& slices) {
    std::vector<unsigned> has;
    for (const auto& compute : instance.compute_instances) has.push_back(compute.placement.size);
    std::ranges::sort(has, std::ranges::greater{});
    return has == slices;
  }

  void add_creation(const NamedInstance& wanted, const MigPlacement& placement) {
    auto step = create_step(selected_, wanted, placement);
    step.provisional = changes_mode_;
    if (wish_.functions) step.needs.push_back(gpu_facts::functions_enabled(gpu_.address));
    for (const auto* gone : destroyed_) step.needs.push_back(gone_fact(gpu_, gone->id));
    proposal_.steps.push_back(std::move(step));
  }

  static std::string users_of(const GpuInstance& instance) {
    std::vector<std::string> users;
    if (instance.vgpus > 0)
      users.push_back(fmt::format("{} vGPU{}", instance.vgpus, instance.vgpus == 1 ? "" : "s"));
    for (const auto pid : instance.processes) users.push_back(fmt::format("process {}", pid));
    return join(users, ", ");
  }

  /// Whether some instance of the profile is there before and after.
  [[nodiscard]] bool stays(const GpuInstanceProfile& profile) const {
    return std::ranges::any_of(present_, [&](const GpuInstance& one) {
      return one.profile == profile.id && std::ranges::find(destroyed_, &one) == destroyed_.end();
    });
  }

  std::string plan_destruction(const GpuInstance& instance, const std::set<std::string>& made_again) {
    const auto text = instance_text(mig_, instance);
    auto object = instance_object(gpu_, text);
    auto step = destroy_step(selected_, address(text), mig_, instance);
    if (destroyed_.size() == present_.size())
      step.provides.push_back(gpu_facts::without_instances(gpu_.address));
    if (const auto* profile = find_profile(*mig_.profiles, instance.profile);
        profile != nullptr && !stays(*profile))
      step.ends.push_back(gpu_facts::with_instance(gpu_.address, profile->name));
    step.foreign = !owns(object);
    if (instance.busy() && (step.foreign || usage_.of(gpu_).empty()))
      step.blocked_by.push_back(fmt::format("GPU instance {} of {} is in use by {}{}: end that use first",
                                            text, title(), users_of(instance),
                                            step.foreign ? ", and gpuhost did not make it" : ""));
    if (!step.foreign && !made_again.contains(object)) step.gives_back = object;
    if (!made_again.contains(object)) step.reason = ActionReason::removed_from_desired;
    proposal_.findings.push_back({.address = step.action.address,
                                  .verdict = Finding::Verdict::differs,
                                  .observed = text,
                                  .object = object});
    proposal_.steps.push_back(std::move(step));
    return object;
  }

  /// Records of instances that neither are there nor shall be.
  void forget_lost(const std::set<std::string>& objects) {
    for (const auto& [object, owned] : input_.owned.of(input_.document)) {
      if (object == gpu_object(gpu_, mig_mode_field) || gpu_of_mig_object(object) != gpu_.address) continue;
      if (!objects.contains(object))
        proposal_.steps.push_back(forget_step(MigLayouts::kind_name, object, nullptr));
    }
  }

  const SelectedGpu& selected_;
  const Gpu& gpu_;
  const MigWish& wish_;
  const Usage& usage_;
  const PlanInput& input_;
  Proposal& proposal_;
  Mig mig_;
  WantedMig wanted_;
  std::vector<GpuInstance> present_;
  std::vector<const GpuInstance*> destroyed_;  ///< of those
  bool yet_to_come_ = false;
  bool changes_mode_ = false;
};

/// What the document says of a GPU: all, or of its mode alone.
enum class Managed { all, mode };

/// Instances that the document made and names no more go, as far as nobody uses them; the mode stays, but for
/// `release`.
class GiveBack {
 public:
  GiveBack(const MigLayoutsState& state, const Inventory& inventory, const PlanInput& input, Omitted omitted,
           Proposal& proposal)
      : state_(state), inventory_(inventory), input_(input), omitted_(omitted), proposal_(proposal) {}

  using ByGpu = std::map<PciAddress, Managed>;

  void run(const ByGpu& managed) {
    for (const auto& [object, owned] : input_.owned.of(input_.document)) {
      const auto address = gpu_of_mig_object(object);
      const auto named = address ? managed.find(*address) : managed.end();
      const bool is_mode = object.ends_with(mig_mode_field);
      if (address && (named == managed.end() || (named->second == Managed::mode && !is_mode)))
        give_back(object, owned, inventory_.find(*address));
    }
  }

 private:
  void give_back(const std::string& object, const Ownership::Object& owned, const Gpu* gpu) {
    const auto forget = [&] {
      proposal_.steps.push_back(forget_step(MigLayouts::kind_name, object, owned.applied));
    };
    if (gpu == nullptr || !owned.before.is_object() ||
        !is_identity_of(owned.before.value("gpu", std::string{}), *gpu))
      return forget();
    const bool is_mode = object == gpu_object(*gpu, mig_mode_field);
    if (is_mode && (omitted_ == Omitted::stay || owned.before.value("mode", std::string{}) != "off"))
      return forget();
    const auto mig = state_.mig_of(*gpu);
    if (mig && (mig->is_unknown() || (*mig && (**mig).instances.is_unknown()))) return wait(object, *mig);
    if (is_mode) {
      if (!mig || !*mig || (**mig).mode == GpuSwitch{}) return forget();
      if (!has_foreign_instances(*gpu, **mig, input_.owned.of(input_.document)))
        return turn_off(object, *gpu, **mig);
      proposal_.notes.push_back({Note::Severity::warning, object,
                                 "it is left on: an instance that gpuhost did not make is on the GPU"});
      return forget();
    }
    const auto* instance = mig && *mig ? find(**mig, *gpu, object) : nullptr;
    if (instance == nullptr) return forget();
    proposal_.steps.push_back(step_for(object, *gpu, **mig, *instance));
  }

  void wait(const std::string& object, const Observed<Mig>& mig) {
    const auto why = mig.is_unknown() ? mig.reason() : (*mig).instances.reason();
    proposal_.notes.push_back(
        {Note::Severity::warning, object,
         "the document no longer names it, and whether it is there cannot be told: " + why,
         "plan as root, with NVIDIA's driver loaded"});
  }

  void turn_off(const std::string& object, const Gpu& gpu, const Mig& mig) {
    auto step = mode_step({.gpu = &gpu, .label = gpu.address.to_string(), .name = {}}, mig.mode, false,
                          *state_.usage);
    for (const auto& instance : *mig.instances) step.needs.push_back(gone_fact(gpu, instance.id));
    step.claims.reset();
    step.gives_back = object;
    step.reason = ActionReason::removed_from_desired;
    proposal_.steps.push_back(std::move(step));
  }

  static const GpuInstance* find(const Mig& mig, const Gpu& gpu, const std::string& object) {
    if (!mig.instances) return nullptr;
    const auto found = std::ranges::find_if(*mig.instances, [&](const GpuInstance& one) {
      return instance_object(gpu, instance_text(mig, one)) == object;
    });
    return found == mig.instances->end() ? nullptr : &*found;
  }

  Step step_for(const std::string& object, const Gpu& gpu, const Mig& mig,
                const GpuInstance& instance) const {
    const SelectedGpu selected{.gpu = &gpu, .label = gpu.address.to_string(), .name = {}};
    auto step = destroy_step(selected, object, mig, instance);
    step.gives_back = object;
    step.reason = ActionReason::removed_from_desired;
    // It comes before the GPU is given away.
    step.needs_now.push_back(gpu_facts::bound(gpu.address, gpu_facts::nvidia_driver));
    if (!has_foreign_instances(gpu, mig, input_.owned.of(input_.document)))
      step.provides.push_back(gpu_facts::without_instances(gpu.address));
    return step;
  }

  const MigLayoutsState& state_;
  const Inventory& inventory_;
  const PlanInput& input_;
  Omitted omitted_;
  Proposal& proposal_;
};

/// Of an entry that only implies MIG off, and asks for nothing where that is so or passes by itself.
bool is_idle_wish(const MigWish& wish, const Gpu& gpu, const std::optional<Observed<Mig>>& seen) {
  if (!wish.only_if_kept) return false;
  const auto* known = catalog::mig_gpu_of(gpu.device_id);
  const bool kept = known == nullptr || known->keeps_mode;
  return !seen || !*seen || !(*seen)->mode.current || !kept;
}

/// The mode is switched by a reset of the GPU, where the chip does not do without.
void block_impossible_resets(const MigLayoutsState& state, std::vector<Step>& steps) {
  for (auto& step : steps) {
    if (step.action.verb != "set_mode") continue;
    const auto gpu = PciAddress::parse(step.action.arguments.at("gpu").get<std::string>());
    const auto why = gpu ? state.against_reset.find(*gpu) : state.against_reset.end();
    if (why != state.against_reset.end())
      step.blocked_by.push_back(fmt::format("the mode takes a reset of the GPU, and {}", why->second));
  }
}

}  // namespace

Proposal MigLayouts::plan_from(const MigLayoutsState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  GiveBack::ByGpu managed;
  const bool certain = select_each(wishes_, *inventory, [&](const auto& selected, const auto& wish) {
    const auto seen = state.mig_of(*selected.gpu);
    const bool idle = is_idle_wish(wish, *selected.gpu, seen);
    managed[selected.gpu->address] = idle ? Managed::mode : Managed::all;
    if (!idle) GpuPlanner(selected, wish, *state.usage, input, proposal).plan(seen);
  });
  if (!certain) return proposal;
  GiveBack(state, *inventory, input, omitted_, proposal).run(managed);
  block_impossible_resets(state, proposal.steps);
  return proposal;
}

}  // namespace gpuhost
