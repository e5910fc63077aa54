#include "kinds/vgpu/rules.hpp"

#include <algorithm>
#include <map>
#include <ranges>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"

namespace gpuhost {

namespace {

using Reasons = std::vector<std::string>;

/// Tesla M60 and M6 have a compute mode, in which they are 3D controllers and have no vGPUs. Source: NVIDIA
/// gpumodeswitch User Guide (DU-07764-001), "Introduction".
bool is_in_compute_mode(const GpuCase& on) {
  constexpr std::uint32_t controller_3d = 0x0302;
  return on.board != nullptr && (on.board->name == "M60" || on.board->name == "M6") &&
         on.gpu.class_code >> 8 == controller_3d;
}

/// The driver has the GPU, with all its functions, and yet there is no vGPU to be had.
std::string why_nothing_is_offered(const GpuCase& on) {
  const auto title = on.title();
  if (on.uses_functions() && (on.gpu.total_functions.is_absent() || *on.gpu.total_functions == 0))
    return fmt::format("{} makes vGPUs of virtual functions and offers none: turn on SR-IOV in the firmware",
                       title);
  if (on.is_yet_to_come()) return {};
  if (on.state.has_manager && !*on.state.has_manager)
    return fmt::format(
        "NVIDIA's vGPU manager is not loaded (module nvidia_vgpu_vfio), so that {} offers no vGPU: install "
        "the host driver of the vGPU software in place of the ordinary one",
        title);
  if (!on.by_vendor_framework() && on.state.has_bus && !*on.state.has_bus)
    return fmt::format(
        "the vGPU manager has registered no GPU for vGPUs (no /sys/class/mdev_bus), {} among them: see the "
        "log of nvidia-vgpud.service, and whether this release and product supports the board",
        title);
  return fmt::format(
      "the vGPU manager offers no vGPU on {}: see the log of nvidia-vgpud.service, and whether this release "
      "and product (vGPU or NVIDIA AI Enterprise) supports the board",
      title);
}

/// GPUs of one board cannot be told from PCI; those of equal boards lie side by side in PCI order.
const Gpu* other_gpu_of_board(const GpuCase& on) {
  if (on.board == nullptr || on.board->gpus_per_board < 2) return nullptr;
  std::vector<const Gpu*> equal;
  for (const auto& gpu : on.state.gpus()->gpus)
    if (gpu.pci_id() == on.gpu.pci_id()) equal.push_back(&gpu);
  const auto at = static_cast<std::size_t>(std::ranges::find(equal, &on.gpu) - equal.begin());
  const auto first = at - at % on.board->gpus_per_board;
  const auto other = at == first ? first + 1 : first;
  return other < equal.size() ? equal[other] : nullptr;
}

/// All time-sliced vGPUs of a GPU have framebuffers of one size, but in mixed-size mode. Source: NVIDIA
/// Virtual GPU Software User Guide, "Valid Time-Sliced Virtual GPU Configurations on a Single GPU".
std::string why_sizes_differ(const GpuCase& on) {
  if (on.is_mixed()) return {};
  std::map<unsigned, std::string> types;  // by size
  for (const auto& vgpu : on.wanted)
    if (const auto type = on.type_of(vgpu); type && !type->needs_mig() && type->framebuffer_mb)
      types.try_emplace(*type->framebuffer_mb, type->name);
  if (types.size() < 2) return {};
  Reasons sizes;
  for (const auto& [size, type] : types) sizes.push_back(fmt::format("{} ({} MB)", type, size));
  auto why =
      fmt::format("all vGPUs of a GPU have one framebuffer size, and {} shall have {}: choose one size",
                  on.title(), join(sizes, " and "));
  if (const auto* other = other_gpu_of_board(on))
    why += fmt::format(", or put one of them on {}, the other GPU of the board, which may have another",
                       other->address.to_string());
  if (on.board != nullptr && on.board->mixed_sizes) why += ", or set sizes: mixed";
  return why;
}

/// MIG is on or off for the whole GPU, and each excludes the types of the other. Source: NVIDIA AI Enterprise
/// vGPU User Guide, "Valid … Configurations on a Single GPU".
std::string why_sorts_differ(const GpuCase& on) {
  std::string sliced;
  std::string on_instance;
  for (const auto& vgpu : on.wanted)
    if (const auto type = on.type_of(vgpu)) (type->needs_mig() ? on_instance : sliced) = type->name;
  if (sliced.empty() || on_instance.empty()) return {};
  return fmt::format(
      "{} is time-sliced and {} is made on a MIG instance, and MIG is on or off for all of {}: "
      "choose one sort",
      sliced, on_instance, on.title());
}

/// How many instances of the profile there will be; nothing: as many as the vGPUs need, or it is not known.
std::optional<unsigned> instances_of(const GpuCase& on, std::string_view profile) {
  unsigned count = 0;
  if (on.instances != nullptr) {
    for (const auto& listed : *on.instances)
      if (catalog::same_mig_profile(listed.profile, profile)) count += listed.count;
    return count;
  }
  return std::nullopt;
}

/// More of a type than its instances carry.
std::string why_too_many(const GpuCase& on, const KnownType& type, std::size_t position) {
  const auto instances = instances_of(on, type.gpu_instance);
  if (!instances || !type.per_instance) return {};
  const auto before =
      std::ranges::count_if(on.wanted | std::views::take(position + 1), [&](const WantedVgpu& other) {
        const auto known = on.type_of(other);
        return known && known->gpu_instance == type.gpu_instance;
      });
  const auto most = *instances * *type.per_instance;
  if (before <= static_cast<std::ptrdiff_t>(most)) return {};
  if (most == 0)
    return fmt::format("{} is made on a {}, and mig lists none of {}: list some, or set mig: auto", type.name,
                       type.gpu_instance, on.title());
  return fmt::format(
      "{} is made on a {}, and {} of them carry {} on {}: list more instances under mig, or "
      "lower the count",
      type.name, type.gpu_instance, *instances, most, on.title());
}

/// Types that the user may have meant, and all with the same letter at the end.
std::string why_unknown(const GpuCase& on, const WantedVgpu& vgpu) {
  const auto name = short_type(vgpu.spec->type);
  const auto all = type_names(on.supported, on.board);
  auto why = fmt::format("{} has no vGPU type {}", on.title(), name);
  if (const auto near = suggest(name, all)) why += fmt::format(" (did you mean {}?)", *near);
  Reasons alike;
  for (const auto& other : all)
    if (other.back() == name.back()) alike.push_back(other);
  return why + fmt::format("; it has {}", join(alike.empty() ? all : alike, ", "));
}

/// The type exists, and the driver does not offer it.
std::string why_not_offered(const GpuCase& on, const KnownType& type) {
  Reasons offered;
  for (const auto& [id, other] : on.supported.types) offered.push_back(short_type(other.name));
  return fmt::format(
      "the driver does not offer {} on {}: it offers {}; C types need NVIDIA AI Enterprise, and newer types "
      "a "
      "newer release",
      type.name, on.title(), offered.empty() ? "none" : join(offered, ", "));
}

/// How many more of a type the driver makes on the GPU; nothing: it does not say.
std::optional<unsigned> available(const GpuCase& on, const std::string& id) {
  std::optional<unsigned> sum;
  for (const auto& [parent, types] : on.supported.available)
    if (const auto found = types.find(id); found != types.end()) sum = sum.value_or(0) + found->second;
  return sum;
}

}  // namespace

Reasons obstacles_on(const GpuCase& on) {
  Reasons reasons;
  const auto add = [&](std::string reason) {
    if (!reason.empty()) reasons.push_back(std::move(reason));
  };
  const auto title = on.title();
  if (on.gpu.boot_display && *on.gpu.boot_display)
    add(
        fmt::format("the host's console is on {}, which can have no vGPU then: choose another GPU, or make "
                    "another one the primary display in the firmware",
                    title));
  if (on.gpu.boot_display.is_unknown())
    add(fmt::format("whether the host's console is on {} cannot be told: {}", title,
                    on.gpu.boot_display.reason()));
  // What to do about that mode is told by who switches it.
  if (on.supported.framework == VgpuFramework::none && !is_in_compute_mode(on))
    add(why_nothing_is_offered(on));
  add(why_sizes_differ(on));
  add(why_sorts_differ(on));
  return reasons;
}

Reasons obstacles_to(const GpuCase& on, const WantedVgpu& vgpu, std::size_t position) {
  const bool visible = on.supported.framework != VgpuFramework::none;
  const auto type = on.type_of(vgpu);
  if (!type) return visible || on.board != nullptr ? Reasons{why_unknown(on, vgpu)} : Reasons{};
  // What the driver offers there follows the instances, which may be about to change.
  if (type->needs_mig()) {
    auto why = why_too_many(on, *type, position);
    return why.empty() ? Reasons{} : Reasons{std::move(why)};
  }
  Reasons reasons;
  if (!on.is_mixed() && type->max && position >= *type->max)
    reasons.push_back(fmt::format("{} vGPUs are wanted on {}, and {} of {} fit: lower the count to {}",
                                  on.wanted.size(), on.title(), *type->max, type->name, *type->max));
  // What is removed first may be what stands in the way now.
  if (on.mig != nullptr && on.mig->mode.current && !on.manages_mig)
    return {fmt::format(
        "{} is time-sliced, and MIG is on on {}: set mig: disabled in its entry, or choose a type "
        "that is made on an instance",
        type->name, on.title())};
  const bool is_partitioned = on.mig != nullptr && on.mig->mode != GpuSwitch{};
  if (!visible || is_partitioned || on.is_mixed() || !on.removed.empty() || !reasons.empty()) return reasons;
  if (!type->id)
    reasons.push_back(why_not_offered(on, *type));
  else if (available(on, *type->id) == 0U)
    reasons.push_back(
        fmt::format("the driver offers {} on {} and makes none: MIG mode may be on, or another "
                    "size may be in use there",
                    type->name, on.title()));
  return reasons;
}

}  // namespace gpuhost
