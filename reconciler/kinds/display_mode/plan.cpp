#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/display_modes.hpp"
#include "kinds/display_mode/driver_away.hpp"
#include "kinds/display_mode/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"

namespace gpuhost {

namespace {

/// Empty: automatic.
std::string_view word(DisplayMode mode) {
  switch (mode) {
    case DisplayMode::automatic:
      return {};
    case DisplayMode::display_off:
      return "display-off";
    case DisplayMode::display_enabled:
      return "display-enabled";
    case DisplayMode::graphics:
      return "graphics";
    case DisplayMode::compute:
      return "compute";
  }
  std::unreachable();
}

/// The first of the name, which is how the tool is called; null: the board has none of it.
const catalog::DisplayMode* find_mode(const std::vector<catalog::DisplayMode>& modes, std::string_view name) {
  const auto found = std::ranges::find(modes, name, &catalog::DisplayMode::mode);
  return found == modes.end() ? nullptr : &*found;
}

std::string mode_names(const std::vector<catalog::DisplayMode>& modes) {
  std::vector<std::string> names;
  for (const auto& mode : modes)
    if (std::ranges::find(names, mode.mode) == names.end()) names.emplace_back(mode.mode);
  return join(names, " or ");
}

/// The GPU and the others of its board, which change with it.
Step switch_step(const Gpu& gpu, std::string_view label, std::string address,
                 const catalog::DisplayMode& mode, const DisplayModesState& state) {
  std::vector<PciAddress> gpus{gpu.address};
  if (const auto mates = state.boards.find(gpu.address); mates != state.boards.end())
    gpus.insert(gpus.end(), mates->second.begin(), mates->second.end());
  std::ranges::sort(gpus);
  const auto& tool = state.tools.find(mode.tool)->second;
  Step step;
  step.action = {std::string(DisplayModes::kind_name), "switch", std::move(address),
                 Json{{"tool", tool.value_or(std::string(mode.tool))},
                      {"argument", mode.argument},
                      {"mode", mode.mode},
                      {"gpus", Json::array()}}};
  step.actions = {"update"};
  const auto others = gpus.size() == 1 ? "" : " and the rest of its board";
  step.title = fmt::format("switch GPU {}{} to {} for the next boot", label, others, mode.mode);
  step.progress = fmt::format("switching GPU {} to {}", label, mode.mode);
  const auto& now = state.modes.at(gpu.address);
  step.before = {{"running", now ? Json(*now) : Json()}};
  step.after = {{"running", step.before["running"]}, {"next_boot", mode.mode}};
  step.explanation =
      fmt::format("{} writes it to the board, which is something else from the next boot on", mode.tool);
  step.reversible = Reversible::best_effort;
  step.lanes = {"display modes"};
  step.needs = {driver_away_fact()};
  for (const auto& one : gpus) {
    step.action.arguments["gpus"].push_back(one.to_string());
    step.affects.push_back({.type = "gpu", .name = one.to_string()});
    step.lanes.push_back(gpu_facts::subject(one));
    step.needs.push_back(gpu_facts::idle(one));
    step.provides_at_boot.push_back(display_fact(one, mode.mode));
    if (mode.vgpus) step.provides_at_boot.push_back(gpu_facts::fit_for_vgpus(one));
  }
  if (!tool) step.blocked_by.push_back(tool.error().sentence());
  if (gpu.boot_display && *gpu.boot_display && mode.class_code != 0x0300)
    step.blocked_by.push_back(fmt::format(
        "the console of the host is on GPU {}: move it to another display in the firmware", label));
  return step;
}

/// Plans for one GPU of one entry.
class GpuPlanner {
 public:
  GpuPlanner(const SelectedGpu& selected, const DisplayWish& wish, const DisplayModesState& state,
             Proposal& proposal)
      : selected_(selected), gpu_(*selected.gpu), wish_(wish), state_(state), proposal_(proposal) {}

  /// Yields the mode that the GPU shall have; empty: nothing is wanted of it.
  std::string plan() {
    board_ = catalog::board_of(gpu_.device_id, gpu_.subsystem_device_id);
    if (board_ == nullptr || board_->display_tool.empty()) return report_unknown_board(), std::string{};
    modes_ = catalog::display_modes_of(*board_);
    if (modes_.empty()) return report_without_switch(), std::string{};
    const auto* mode = wanted();
    if (mode == nullptr) return {};
    compare(*mode);
    return std::string(mode->mode);
  }

 private:
  [[nodiscard]] std::string title() const { return "GPU " + selected_.label; }
  [[nodiscard]] std::string address() const { return gpu_address(selected_, DisplayModes::field); }
  [[nodiscard]] bool is_automatic() const { return wish_.mode == DisplayMode::automatic; }
  [[nodiscard]] bool for_vgpus() const { return wish_.use == GpuMode::vgpu; }
  void note(Note::Severity severity, std::string message, std::string advice = {}) {
    proposal_.notes.push_back({severity, address(), std::move(message), std::move(advice)});
  }

  void report_unknown_board() {
    auto why = board_ == nullptr
                   ? fmt::format("whether {}, {}, has a switch of display modes is not known", title(),
                                 gpu_.pci_id())
                   : fmt::format("whether a {} has a switch of display modes is not known", board_->product);
    if (is_automatic()) return note(Note::Severity::info, why + ": it is left as it is");
    proposal_.findings.push_back({.address = address(),
                                  .verdict = Finding::Verdict::unknown,
                                  .desired = word(wish_.mode),
                                  .reason = why + "; displaymodeselector --listgpumodes tells"});
  }

  void report_without_switch() {
    auto message = fmt::format("{} is a {}, which has no switch of display modes", title(), board_->product);
    if (is_automatic())
      note(Note::Severity::info, std::move(message));
    else
      note(Note::Severity::error, std::move(message), "leave out display");
  }

  /// Null: nothing, or not what can be; the notes say why.
  const catalog::DisplayMode* wanted() {
    const auto for_all = std::ranges::find(modes_, true, &catalog::DisplayMode::vgpus);
    if (is_automatic()) return for_vgpus() ? &*for_all : nullptr;
    const auto* mode = find_mode(modes_, word(wish_.mode));
    if (mode == nullptr) {
      note(Note::Severity::error,
           fmt::format("{} is a {}, which has no mode {}", title(), board_->product, word(wish_.mode)),
           fmt::format("say {}", mode_names(modes_)));
    } else if (for_vgpus() && !mode->vgpus) {
      note(Note::Severity::error,
           fmt::format("{} is a {}, which has no vGPUs in mode {}", title(), board_->product, mode->mode),
           fmt::format("say {}, or auto", for_all->mode));
      return nullptr;
    }
    return mode;
  }

  void compare(const catalog::DisplayMode& mode) {
    const auto& now = state_.modes.at(gpu_.address);
    Finding finding{.address = address(),
                    .desired = mode.mode,
                    .observed = now ? Json(*now) : Json(),
                    .object = gpu_object(gpu_, DisplayModes::field)};
    const auto next = state_.staged.find(gpu_.address);
    const bool is_staged = next != state_.staged.end();
    if (is_staged && now) finding.observed = {{"running", *now}, {"next_boot", next->second}};
    if (now.is_unknown()) {
      finding.verdict = Finding::Verdict::unknown;
      finding.reason = now.reason();
    } else if (is_staged && next->second == mode.mode && *now != mode.mode) {
      finding.verdict = Finding::Verdict::pending_reboot;
      proposal_.true_at_next_boot.push_back(display_fact(gpu_.address, mode.mode));
      if (mode.vgpus) proposal_.true_at_next_boot.push_back(gpu_facts::fit_for_vgpus(gpu_.address));
    } else if (*now != mode.mode || (is_staged && next->second != mode.mode)) {
      finding.verdict = Finding::Verdict::differs;
      auto step = switch_step(gpu_, selected_.label, address(), mode, state_);
      step.claims = Claim{finding.object, {{"gpu", identity_of(gpu_)}, {"mode", *now}}, mode.mode};
      proposal_.steps.push_back(std::move(step));
    }
    proposal_.findings.push_back(std::move(finding));
  }

  const SelectedGpu& selected_;
  const Gpu& gpu_;
  const DisplayWish& wish_;
  const DisplayModesState& state_;
  Proposal& proposal_;
  const catalog::Board* board_ = nullptr;
  std::vector<catalog::DisplayMode> modes_;
};

/// Back to the mode that the record has; only the record goes where that is not known of this GPU.
void give_back(const std::string& object, const Ownership::Object& owned, const Gpu* gpu,
               const DisplayModesState& state, Proposal& proposal) {
  const auto text = [&](const char* key) {
    return owned.before.is_object() ? owned.before.value(key, std::string{}) : std::string{};
  };
  const auto forget = [&](const std::string& why) {
    if (!why.empty())
      proposal.notes.push_back({Note::Severity::warning, object, "it is left as it is: " + why});
    proposal.steps.push_back(forget_step(DisplayModes::kind_name, object, owned.applied));
  };
  if (gpu == nullptr) return forget("the GPU is not there any more");
  const auto seen = state.modes.find(gpu->address);
  if (seen == state.modes.end()) return forget("the GPU is not there any more");
  if (!is_identity_of(text("gpu"), *gpu)) return forget("what it was before is not known of this GPU");
  const auto was = text("mode");
  const auto next = state.staged.find(gpu->address);
  const auto now = seen->second ? *seen->second : std::string{};
  const auto at_boot = next == state.staged.end() ? now : next->second;
  if (now == was && at_boot == was) return forget({});
  const auto modes = catalog::display_modes_of(*catalog::board_of(gpu->device_id, gpu->subsystem_device_id));
  const auto* mode = find_mode(modes, was);
  if (mode == nullptr) return forget("its board has no mode " + was);
  // Owned until it is true: the next boot is not forgotten.
  forget({});
  proposal.steps.back().needs = {display_fact(gpu->address, was)};
  if (at_boot == was) {
    proposal.findings.push_back({.address = object,
                                 .verdict = Finding::Verdict::pending_reboot,
                                 .desired = was,
                                 .observed = {{"running", now}, {"next_boot", was}},
                                 .object = object});
    proposal.true_at_next_boot.push_back(display_fact(gpu->address, was));
    return;
  }
  auto step = switch_step(*gpu, gpu->address.to_string(), object, *mode, state);
  step.reason = ActionReason::removed_from_desired;
  proposal.steps.push_back(std::move(step));
}

/// The GPUs of a board have one mode: a step for one does it for the others.
void unite_boards(const std::map<PciAddress, std::string>& wanted, const DisplayModesState& state,
                  Proposal& proposal) {
  for (const auto& [address, mode] : wanted) {
    const auto mates = state.boards.find(address);
    if (mates == state.boards.end()) continue;
    for (const auto& mate : mates->second)
      if (const auto other = wanted.find(mate);
          other != wanted.end() && other->second != mode && address < mate)
        proposal.notes.push_back({Note::Severity::error,
                                  fmt::format("gpu[{}].{}", mate.to_string(), DisplayModes::field),
                                  fmt::format("GPU {} and GPU {} are on one board, and cannot be {} and {}",
                                              address.to_string(), mate.to_string(), mode, other->second),
                                  "give both entries the same display mode"});
  }
  std::set<Json> done;
  std::erase_if(proposal.steps, [&](const Step& step) {
    return step.action.verb == "switch" && !done.insert(step.action.arguments).second;
  });
}

}  // namespace

Proposal DisplayModes::plan_from(const DisplayModesState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  std::map<PciAddress, std::string> wanted;
  const bool certain = select_each(wishes_, *inventory, [&](const auto& selected, const auto& wish) {
    wanted.emplace(selected.gpu->address, GpuPlanner(selected, wish, state, proposal).plan());
  });
  if (certain)
    for (const auto& [object, owned] : input.owned.of(input.document)) {
      const auto address = gpu_of_object(object, field);
      if (!address || wanted.contains(*address)) continue;
      if (omitted_ == Omitted::given_back)
        give_back(object, owned, inventory->find(*address), state, proposal);
      else
        proposal.steps.push_back(forget_step(kind_name, object, owned.applied));
    }
  std::erase_if(wanted, [](const auto& one) { return one.second.empty(); });
  unite_boards(wanted, state, proposal);
  return proposal;
}

}  // namespace gpuhost
