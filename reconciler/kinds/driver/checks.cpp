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

/// The two bring the same libraries and the same module.
void check_packages(const DriverState& state, std::vector<Note>& notes) {
  if (!state.packages) return;
  std::string manager, other;
  for (const auto& [name, version] : *state.packages) {
    if (is_manager_package(name)) manager = name;
    if (is_driver_package(name)) other = name;
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

namespace {

using Form = PackageSource::Form;

void check_source(const PackageSource& source, const DriverState& state,
                  std::vector<std::string>& obstacles) {
  if (source.form == Form::package || !state.source_digest) return;
  const auto& digest = *state.source_digest;
  if (!digest)
    obstacles.push_back(fmt::format("the source cannot be used: {}", digest.error().sentence()));
  else if (*digest != source.sha256)
    obstacles.push_back(other_digest(source.what, source.sha256, *digest).sentence());
}

/// Only a module with a signature that the kernel trusts would load. What a repository brings may have one.
void check_signature(const PackageSource& source, const DriverState& state,
                     std::vector<std::string>& obstacles) {
  if (!state.signed_only) {
    obstacles.push_back(fmt::format("whether the kernel loads unsigned modules cannot be told: {}",
                                    state.signed_only.error().message));
    return;
  }
  if (!*state.signed_only || source.form == Form::package || (state.has_dkms && state.has_key)) return;
  obstacles.emplace_back(
      "Secure Boot is on, and the module that would be built has no signature, so that the kernel refuses "
      "it: let "
      "DKMS sign it with a key that is enrolled (mokutil --import), or turn Secure Boot off in the firmware");
}

/// A kernel that has no module boots without GPUs. What a repository has may be built for all of them; an rpm
/// of NVIDIA's is built for one.
void check_kernels(const PackageSource& source, const DriverState& state,
                   std::vector<std::string>& obstacles) {
  const bool builds = source.form == Form::runfile || source.form == Form::deb || state.has_dkms;
  for (const auto& [kernel, has] : state.headers) {
    if (kernel != state.kernel && !state.has_dkms && source.form != Form::package)
      obstacles.push_back(
          fmt::format("kernel {} is installed too, and without DKMS the module is built for {} "
                      "only: install dkms, or remove that kernel",
                      kernel, state.kernel));
    else if (!builds)
      continue;
    else if (!has)
      obstacles.push_back(
          fmt::format("whether kernel {} has headers cannot be told: {}", kernel, has.error().message));
    else if (!*has)
      obstacles.push_back(
          fmt::format("kernel {} has no headers to build the module with: install them, or remove "
                      "that kernel",
                      kernel));
  }
  if (!state.other_kernels)
    obstacles.push_back("which kernels are installed cannot be told: " + state.other_kernels.error().message);
}

void check_tool(const PackageSource& source, const DriverState& state, std::vector<std::string>& obstacles) {
  if (!state.tool && source.form != Form::runfile) {
    obstacles.push_back("what installs packages here cannot be told: " + state.tool.error().message);
    return;
  }
  if (!can_install(state.tool.value_or(PackageTool::none), source.form))
    obstacles.emplace_back(
        "this host has no tool that installs the source: it needs apt-get for a deb, dnf or "
        "zypper for an rpm");
}

}  // namespace

std::vector<std::string> obstacles_to_install(const PackageSource& source, const DriverState& state) {
  std::vector<std::string> obstacles;
  check_source(source, state, obstacles);
  check_tool(source, state, obstacles);
  check_signature(source, state, obstacles);
  check_kernels(source, state, obstacles);
  return obstacles;
}

std::vector<std::string> obstacles_to_load(const DriverState& state) {
  std::vector<std::string> obstacles;
  if (!state.nouveau_loaded)
    obstacles.push_back("cannot tell whether nouveau has the GPUs: " + state.nouveau_loaded.error().message);
  if (state.signed_only && *state.signed_only && state.signer.empty())
    obstacles.emplace_back(
        "Secure Boot is on, and the module that is installed has no signature: sign it with a "
        "key that is enrolled (mokutil --import), or turn Secure Boot off in the firmware");
  return obstacles;
}

}  // namespace gpuhost
