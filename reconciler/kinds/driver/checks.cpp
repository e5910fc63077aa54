#include "kinds/driver/checks.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

using Flavor = DriverSpec::Flavor;
using Product = DriverSpec::Product;
using Severity = Note::Severity;

constexpr const char* address = "driver";

/// Those that the document means, or else that the loaded driver may be of.
std::vector<const catalog::Release*> releases_of(const DriverSpec& spec, const DriverState& state) {
  if (spec.release)
    if (const auto* release = catalog::find_release(**spec.release)) return {release};
  const auto version = spec.version ? **spec.version : state.loaded ? *state.loaded : std::string{};
  return **spec.flavor == Flavor::vgpu_manager ? catalog::releases_of_manager(version)
                                               : catalog::releases_of_guest(version);
}

/// Data-center drivers have versions that no release of the vGPU software has.
void check_known(const DriverSpec& spec, const std::vector<const catalog::Release*>& releases,
                 std::vector<Note>& notes) {
  if (!spec.version || !releases.empty() || **spec.flavor == Flavor::datacenter) return;
  notes.push_back({Severity::warning, address,
                   fmt::format("no release of the vGPU software with version {} is known", **spec.version),
                   "which boards and guests go with it cannot be checked; see gpuhost catalog releases"});
}

void check_support(const std::vector<const catalog::Release*>& releases, const std::string& today,
                   std::vector<Note>& notes) {
  if (releases.empty()) return;
  const auto& branch = catalog::branch_of(*releases.front());
  if (!catalog::is_past_support(branch, today).value_or(false)) return;
  notes.push_back(
      {Severity::warning, address,
       fmt::format("support of vGPU software {} ended in {}", branch.major, branch.end_of_support),
       "see gpuhost catalog releases for what is supported"});
}

void check_boards(const DriverSpec& spec, const std::vector<const catalog::Release*>& releases,
                  const std::vector<const Gpu*>& gpus, std::vector<Note>& notes) {
  if (!spec.product) return;
  const auto* product = *spec.product == Product::nvaie ? "nvaie" : "vgpu";
  const auto* other = *spec.product == Product::nvaie ? "vgpu" : "nvaie";
  const bool known = !releases.empty() && catalog::has_known_boards(*releases.front());
  for (const auto* gpu : gpus) {
    const auto* board = catalog::board_of(gpu->device_id, gpu->subsystem_device_id);
    if (board == nullptr || !catalog::denies(*spec.product, *board)) continue;
    notes.push_back(
        {known ? Severity::error : Severity::warning, address,
         fmt::format("product {} {} {}, which is at {}", product, known ? "does not drive" : "may not drive",
                     board->product, gpu->address.to_string()),
         fmt::format("use product: {}, or give the GPU the mode passthrough", other)});
  }
}

/// The manager and the drivers for guests and bare metal bring the same libraries and the same module.
/// Source: NVIDIA vGPU software user guide, "Installing the NVIDIA vGPU Software Graphics Driver".
void check_packages(const DriverState& state, std::vector<Note>& notes) {
  if (!state.packages) return;
  const auto is_manager = [](const std::string& name) {
    return name.starts_with("nvidia-vgpu-") && !name.contains("license");
  };
  const auto is_other = [](const std::string& name) {
    return name.starts_with("nvidia-linux-grid") || name.starts_with("nvidia-driver") ||
           name.starts_with("nvidia-dkms-") || name == "nvidia-kernel-dkms";
  };
  std::string manager, other;
  for (const auto& [name, version] : *state.packages) {
    if (is_manager(name)) manager = name;
    if (is_other(name)) other = name;
  }
  if (manager.empty() || other.empty()) return;
  notes.push_back(
      {Severity::error, address,
       fmt::format("the packages {} and {} are installed, and each has the host's driver", manager, other),
       "remove one of the two"});
}

}  // namespace

std::vector<Note> notes_of_driver(const DriverSpec& spec, const DriverState& state,
                                  const std::vector<const Gpu*>& gpus) {
  std::vector<Note> notes;
  const auto releases = releases_of(spec, state);
  check_known(spec, releases, notes);
  check_support(releases, state.today, notes);
  check_boards(spec, releases, gpus, notes);
  check_packages(state, notes);
  return notes;
}

std::vector<std::string> obstacles_to_load(const DriverState& state) {
  std::vector<std::string> obstacles;
  if (!state.nouveau_loaded)
    obstacles.push_back("cannot tell whether nouveau has the GPUs: " + state.nouveau_loaded.error().message);
  else if (*state.nouveau_loaded)
    obstacles.emplace_back("the module nouveau has the GPUs: add kernel.modules.nouveau: {state: blocked}");
  return obstacles;
}

}  // namespace gpuhost
