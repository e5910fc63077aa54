#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_idle.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/passthrough/give_back.hpp"
#include "kinds/passthrough/kind.hpp"
#include "kinds/passthrough/steps.hpp"

namespace gpuhost {

namespace {

constexpr std::uint32_t controller_3d = 0x0302;
constexpr const char* nouveau_driver = "nouveau";

/// One GPU of the document, and what is to become of its functions.
struct Wish {
  SelectedGpu selected;
  std::string driver;              ///< of the GPU
  std::vector<Binding> now;        ///< functions whose driver matters
  std::vector<Binding> goals;      ///< what they must be, in the same order
  std::vector<PciFunction> alien;  ///< in the way in its group, and not of a GPU that the document gives away

  void want(const PciFunction& function, Binding goal) {
    now.push_back(binding_of(function));
    goals.push_back(std::move(goal));
  }
  [[nodiscard]] const Gpu& gpu() const { return *selected.gpu; }
  [[nodiscard]] bool gives_away() const { return driver == vfio_driver; }
  [[nodiscard]] bool holds() const { return alien.empty() && std::ranges::equal(now, goals, agrees); }
};

using Wishes = std::map<PciAddress, Wish>;

Binding on_vfio(const PciAddress& address) {
  return {address, vfio_driver, vfio_driver};
}

/// The whole group goes to VFIO, since the kernel gives a guest no part of one.
void want_passthrough(Wish& wish, const Inventory& inventory, const Wishes& wishes) {
  const auto& gpu = wish.gpu();
  wish.want(gpu, on_vfio(gpu.address));
  for (const auto& companion : gpu.companions) wish.want(companion, on_vfio(companion.address));
  for (const auto& neighbour : gpu.group_neighbours) {
    if (keeps_group_viable(neighbour.driver)) continue;
    const auto* owner = inventory.owner_of(neighbour.address);
    const auto other = owner == nullptr ? wishes.end() : wishes.find(owner->address);
    if (other != wishes.end() && other->second.gives_away())
      wish.want(neighbour, on_vfio(neighbour.address));
    else
      wish.alien.push_back(neighbour);
  }
}

/// The GPU goes to NVIDIA's driver; companions that gpuhost took for passthrough go back to theirs.
void want_nvidia(Wish& wish, const PassthroughState& state, const PlanInput& input) {
  const auto& gpu = wish.gpu();
  wish.want(gpu, {gpu.address, nvidia_driver, ""});
  const auto* owned = input.owned.find(input.document, gpu_object(gpu, Passthrough::field));
  if (owned == nullptr) return;
  for (const auto& goal : recorded_bindings(*owned, gpu, state.drivers))
    for (const auto& companion : gpu.companions)
      if (companion.address == goal.address && companion.driver_override == vfio_driver)
        wish.want(companion, goal);
}

Wishes wishes_of(const std::vector<GpuEntry>& entries, const PassthroughState& state,
                 const Inventory& inventory, const PlanInput& input) {
  Wishes wishes;
  for (const auto& entry : entries)
    for (auto& selected : select_gpus(entry, inventory).gpus) {
      const auto* driver = **entry.mode == GpuMode::passthrough ? vfio_driver : nvidia_driver;
      const auto address = selected.gpu->address;
      wishes.emplace(address, Wish{.selected = std::move(selected), .driver = driver});
    }
  for (auto& [address, wish] : wishes) {
    if (wish.gives_away())
      want_passthrough(wish, inventory, wishes);
    else
      want_nvidia(wish, state, input);
  }
  return wishes;
}

/// The GPU's driver; with it the functions that are bound otherwise than the GPU's mode needs.
Json observed(const Wish& wish) {
  std::vector<Binding> off;
  for (std::size_t i = 1; i < wish.now.size(); ++i)
    if (!agrees(wish.now[i], wish.goals[i])) off.push_back(wish.now[i]);
  for (const auto& alien : wish.alien) off.push_back(binding_of(alien));
  if (off.empty()) return drivers_json({wish.now.front()}).front();
  off.push_back(wish.now.front());
  return drivers_json(off);
}

std::string list_of(const std::vector<PciFunction>& functions) {
  std::vector<std::string> shown;
  for (const auto& function : functions)
    shown.push_back(fmt::format("{} (on {})", function.address.to_string(), function.driver));
  return join(shown, ", ");
}

std::vector<std::string> obstacles_to_passthrough(const Wish& wish, const PassthroughState& state) {
  const auto& gpu = wish.gpu();
  const auto address = gpu.address.to_string();
  std::vector<std::string> reasons;
  if (gpu.boot_display && *gpu.boot_display)
    reasons.push_back(fmt::format(
        "GPU {} is the host's boot display, which a guest cannot be given: make another GPU the primary "
        "display in the firmware, or give the guest another GPU",
        address));
  if (gpu.boot_display.is_unknown())
    reasons.push_back(fmt::format("whether the host's console is on GPU {} cannot be told: {}", address,
                                  gpu.boot_display.reason()));
  if (!gpu.iommu_group && state.iommu_active && *state.iommu_active)
    reasons.push_back(fmt::format(
        "the IOMMU is active and has no group for GPU {}: move it to a slot that the IOMMU covers, "
        "and turn off 'bypass' or 'no IOMMU' settings of that slot in the firmware",
        address));
  if (!wish.alien.empty())
    reasons.push_back(fmt::format(
        "IOMMU group {} of GPU {} has other devices too: {}; move the GPU to a slot with a group of "
        "its own, or turn on ACS in the firmware",
        gpu.iommu_group.value_or(0), address, list_of(wish.alien)));
  return reasons;
}

std::vector<std::string> obstacles_to_nvidia(const Wish& wish) {
  const auto& driver = wish.gpu().driver;
  if (driver == nvidia_driver || driver == nouveau_driver || keeps_group_viable(driver)) return {};
  const auto address = wish.gpu().address.to_string();
  return {
      fmt::format("GPU {} is bound to {}, which is not taken from it: unbind it by hand", address, driver)};
}

void add_sound_users(const Wish& wish, const PassthroughState& state, std::vector<std::string>& reasons) {
  for (std::size_t i = 0; i < wish.now.size(); ++i) {
    const auto user = state.sound_users.find(wish.now[i].address);
    if (user != state.sound_users.end() && wish.now[i].driver != wish.goals[i].driver)
      reasons.push_back(
          fmt::format("sound function {} is in use by the process with pid {}: end it, then plan again",
                      wish.now[i].address.to_string(), user->second));
  }
}

/// The GPU itself, and others that share its IOMMU group.
std::vector<const Gpu*> touched_by(const Wish& wish, const Inventory& inventory) {
  std::vector<const Gpu*> gpus{&wish.gpu()};
  for (const auto& binding : wish.now)
    if (const auto* owner = inventory.owner_of(binding.address);
        owner != nullptr && std::ranges::find(gpus, owner) == gpus.end())
      gpus.push_back(owner);
  return gpus;
}

void add_needs(const Wish& wish, const Inventory& inventory, const Usage& usage, Step& step) {
  for (const auto* gpu : touched_by(wish, inventory)) {
    need_idle(*gpu, usage, step);
    if (!gpu->functions.empty()) step.needs.push_back(gpu_facts::functions_disabled(gpu->address));
    if (gpu->has_vgpus()) step.needs.push_back(gpu_facts::without_vgpus(gpu->address));
    if (gpu == &wish.gpu()) continue;
    const auto address = gpu->address.to_string();
    step.affects.push_back({"gpu", address});
    step.lanes.push_back("gpu/" + address);
  }
  step.needs.push_back({wish.gives_away() ? "module/vfio_pci" : "module/nvidia", "loaded"});
  // It gives the console up at the next boot, where it is kept from loading.
  if (!wish.gives_away() && wish.gpu().driver == nouveau_driver)
    step.needs.push_back({fmt::format("module/{}", nouveau_driver), "unloaded"});
  if (wish.gives_away() && !wish.gpu().iommu_group) step.needs.push_back({"iommu", "active"});
}

Step step_for(const Wish& wish, const PassthroughState& state, const Inventory& inventory) {
  const auto& gpu = wish.gpu();
  auto step = bind_step(gpu, wish.driver, wish.now, wish.goals);
  step.action.address = gpu_address(wish.selected, Passthrough::field);
  const auto address = gpu.address.to_string();
  step.title = wish.selected.label == address
                   ? fmt::format("bind GPU {} to {}", address, wish.driver)
                   : fmt::format("bind GPU {} ({}) to {}", wish.selected.label, address, wish.driver);
  step.progress = fmt::format("binding GPU {} to {}", wish.selected.label, wish.driver);
  add_needs(wish, inventory, *state.usage, step);
  step.blocked_by = wish.gives_away() ? obstacles_to_passthrough(wish, state) : obstacles_to_nvidia(wish);
  add_sound_users(wish, state, step.blocked_by);
  if (!wish.gives_away()) add_guests_of(gpu, *state.defined, step);
  if (wish.gives_away() && !gpu.iommu_group) step.after_unknown = Json::array({"iommu_group"});
  step.claims = Claim{gpu_object(gpu, Passthrough::field), record_of(gpu), wish.driver};
  return step;
}

void add_notes(const Wish& wish, const PlanInput& input, std::vector<Note>& notes) {
  const auto& gpu = wish.gpu();
  const auto address = gpu_address(wish.selected, Passthrough::field);
  if (wish.gives_away() && gpu.boot_display.is_absent() && gpu.class_code >> 8 != controller_3d)
    notes.push_back(
        {Note::Severity::warning, address,
         fmt::format("whether the host's console is on GPU {} cannot be told: the kernel does not say",
                     gpu.address.to_string()),
         "make sure that another GPU is the primary display in the firmware"});
  const bool ours = input.owned.find(input.document, gpu_object(gpu, Passthrough::field)) != nullptr;
  if (!wish.gives_away() && gpu.driver == vfio_driver && gpu.driver_override.empty() && !ours)
    notes.push_back(
        {Note::Severity::warning, address,
         fmt::format("GPU {} was bound to vfio-pci by its ids, and will be at every boot",
                     gpu.address.to_string()),
         fmt::format("take {:04x}:{:04x} from the option ids of vfio-pci, which means all boards of "
                     "that id",
                     gpu.vendor_id, gpu.device_id)});
}

}  // namespace

Proposal Passthrough::plan_from(const PassthroughState& state, const PlanInput& input) const {
  Proposal proposal;
  const auto* inventory = gpus_or_none(*state.inventory);
  // The kind gpus says why nothing can be told.
  if (!state.running || inventory == nullptr) return proposal;
  const auto wishes = wishes_of(entries_, state, *inventory, input);
  for (const auto& [gpu, wish] : wishes) {
    Finding finding{.address = gpu_address(wish.selected, field),
                    .desired = wish.driver,
                    .observed = observed(wish),
                    .object = gpu_object(wish.gpu(), field)};
    if (const auto why = unreadable_in_group(wish.gpu())) {
      finding.verdict = Finding::Verdict::unknown;
      finding.observed = nullptr;
      finding.reason = why->message;
      finding.permission = lacks_permission(*why);
    } else if (!wish.holds()) {
      finding.verdict = Finding::Verdict::differs;
      proposal.steps.push_back(step_for(wish, state, *inventory));
      add_notes(wish, input, proposal.notes);
    }
    proposal.findings.push_back(std::move(finding));
  }
  std::set<PciAddress> wanted;
  for (const auto& [gpu, wish] : wishes) wanted.insert(gpu);
  if (state.usage != nullptr)
    give_back_drivers({entries_, *inventory, *state.usage, *state.defined, state.drivers, wanted}, input,
                      proposal);
  return proposal;
}

}  // namespace gpuhost
