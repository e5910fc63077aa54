#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/list_or_none.hpp"
#include "kinds/driver/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

using Flavor = DriverSpec::Flavor;

constexpr const char* modules_directory = "/lib/modules";
/// The byte behind the four of the variable's attributes says. Source: UEFI specification, "Globally Defined
/// Variables".
constexpr const char* secure_boot_variable =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
constexpr const char* signature_enforcement = "/sys/module/module/parameters/sig_enforce";
/// Sources: dkms(8), "mok_signing_key"; Debian and Ubuntu's shim-signed.
constexpr auto signing_keys =
    std::to_array<const char*>({"/var/lib/dkms/mok.key", "/var/lib/shim-signed/mok/MOK.priv"});
/// That keep GPUs open, or use the driver for guests: they are down while it changes.
constexpr auto services =
    std::to_array<const char*>({"nvidia-persistenced.service", "nvidia-dcgm.service", "nvidia-gridd.service",
                                "nvidia-fabricmanager.service"});

/// From the index that depmod makes, a line "PATH: DEPENDENCIES" for each module. Source: modules.dep(5).
bool lists_driver(std::string_view index) {
  return std::ranges::any_of(lines(index), [](std::string_view line) {
    const auto path = line.substr(0, line.find(':'));
    return path.substr(path.rfind('/') + 1).starts_with("nvidia.ko");
  });
}

Result<DriverState::InKernels> look_at_kernels(const FileReader& files, const std::string& running) {
  const auto names = list_or_none(files, modules_directory);
  if (!names) return std::unexpected(names.error());
  DriverState::InKernels found;
  for (const auto& kernel : *names) {
    if (kernel == running) continue;
    const auto index = files.read(fmt::format("{}/{}/modules.dep", modules_directory, kernel));
    if (index)
      found.emplace(kernel, lists_driver(*index));
    else if (index.error().kind != ErrorKind::not_found)  // what a removed kernel leaves behind has none
      found.emplace(kernel, std::unexpected(index.error()));
  }
  return found;
}

Observed<std::string> look_at_installed(const ModuleReader& modules) {
  const auto file = modules.available(nvidia_module);
  if (file) return file->version;
  if (file.error().kind == ErrorKind::not_found) return Observed<std::string>::absent();
  return Observed<std::string>::unknown(file.error().message);
}

/// By the link that kernels' packages of headers leave.
DriverState::InKernels look_at_headers(const FileReader& files, const DriverState& state) {
  DriverState::InKernels found;
  const auto look_at = [&](const std::string& kernel) {
    if (!kernel.empty())
      found.emplace(kernel, files.exists(fmt::format("{}/{}/build", modules_directory, kernel)));
  };
  look_at(state.kernel);
  if (state.other_kernels)
    for (const auto& [kernel, has] : *state.other_kernels) look_at(kernel);
  return found;
}

Result<bool> look_at_enforcement(const FileReader& files) {
  const auto variable = files.read(secure_boot_variable);
  if (variable && variable->size() == 5 && variable->back() == '\1') return true;
  if (!variable && variable.error().kind != ErrorKind::not_found) return std::unexpected(variable.error());
  const auto enforced = files.read(signature_enforcement);
  if (!enforced && enforced.error().kind == ErrorKind::not_found) return false;
  if (!enforced) return std::unexpected(enforced.error());
  return trim(*enforced) == "Y";
}

Result<std::vector<std::string>> look_at_users(const ModuleReader& modules) {
  const auto loaded = modules.loaded();
  if (!loaded) return std::unexpected(loaded.error());
  std::vector<std::string> users;
  for (const auto& [name, module] : *loaded)
    if (is_driver_module(name))
      std::ranges::copy_if(module.users, std::back_inserter(users),
                           [](const std::string& user) { return !is_driver_module(user); });
  return users;
}

std::map<std::string, Result<UnitState>> look_at_services(const UnitReader& units) {
  std::map<std::string, Result<UnitState>> running;
  for (const auto* service : services)
    if (auto unit = units.state(service); unit && !unit->is_inactive())
      running.emplace(service, *std::move(unit));
  return running;
}

Observed<std::string> look_at_loaded(const FileReader& files) {
  auto version = files.read("/sys/module/nvidia/version");
  if (!version) return Observed<std::string>::from(std::move(version));
  return std::string(trim(*version));
}

/// One that is loaded came from somewhere, also where the kernel's modules cannot be looked at.
Result<bool> look_at_manager(const ModuleReader& modules, const DriverState& state) {
  if (!state.manager_loaded || *state.manager_loaded) return state.manager_loaded;
  const auto manager = modules.available(manager_module);
  if (manager) return true;
  if (manager.error().kind == ErrorKind::not_found) return false;
  return std::unexpected(manager.error());
}

/// Told by what only one of them brings: the manager a module of its own, the graphics driver the licence
/// daemon.
Observed<Flavor> look_at_flavor(const HostView& host, const DriverState& state) {
  using Observation = Observed<Flavor>;
  if (!state.manager_installed) return Observation::unknown(state.manager_installed.error().message);
  if (*state.manager_installed) return Flavor::vgpu_manager;
  if (state.loaded.is_unknown()) return Observation::unknown(state.loaded.reason());
  if (state.installed.is_unknown()) return Observation::unknown(state.installed.reason());
  if (!state.installed && !state.loaded) return Observation::absent();
  const auto licensed = host.files.exists(licence_daemon);
  if (!licensed) return Observation::unknown(licensed.error().message);
  return *licensed ? Flavor::graphics : Flavor::datacenter;
}

Json json_of(const Observed<std::string>& value) {
  if (value.is_unknown()) return {{"unknown", value.reason()}};
  return value ? Json(*value) : Json();
}

template <class T>
Json json_of(const Result<T>& value) {
  return value ? Json(*value) : unknown_json(value.error());
}

Json json_of(const DriverState::InKernels& kernels) {
  Json shown = Json::object();
  for (const auto& [kernel, has] : kernels) shown[kernel] = has ? Json(*has) : unknown_json(has.error());
  return shown;
}

}  // namespace

std::string_view to_string(Flavor flavor) {
  switch (flavor) {
    case Flavor::vgpu_manager:
      return "vgpu-manager";
    case Flavor::graphics:
      return "graphics";
    case Flavor::datacenter:
      return "datacenter";
    case Flavor::none:
      return "none";
  }
  std::unreachable();
}

std::unique_ptr<Kind> make_driver(std::optional<DriverSpec> spec, std::vector<GpuEntry> passed_through) {
  return std::make_unique<Driver>(std::move(spec), std::move(passed_through));
}

DriverState Driver::look(const HostView& host) const {
  DriverState state{.running = host.running};
  if (!host.running) return state;
  const auto& files = host.files;
  state.manager_loaded = files.exists(fmt::format("/sys/module/{}", manager_module));
  state.manager_installed = look_at_manager(host.modules, state);
  if (!spec_) return state;
  state.kernel = trim(files.read("/proc/sys/kernel/osrelease").value_or(""));
  state.installed = look_at_installed(host.modules);
  state.signer = host.modules.available(nvidia_module).value_or(ModuleFile{}).signer;
  state.other_kernels = look_at_kernels(files, state.kernel);
  state.loaded = look_at_loaded(files);
  state.users_of_driver = look_at_users(host.modules);
  state.nouveau_loaded = files.exists("/sys/module/nouveau");
  state.headers = look_at_headers(files, state);
  state.packages = read_nvidia_packages(files);
  state.means = state.installed.is_absent() ? Means{Means::By::nothing} : read_means(files, state.packages);
  state.signed_only = look_at_enforcement(files);
  state.has_dkms = files.exists(dkms).value_or(false);
  state.has_key =
      std::ranges::any_of(signing_keys, [&](const char* key) { return files.exists(key).value_or(false); });
  state.tool = find_package_tool(files);
  state.services = look_at_services(host.units);
  state.flavor = look_at_flavor(host, state);
  state.inventory = inventory_of(host);
  state.usage = usage_of(host);
  if (is_to_be_installed(state) && spec_->source->form != PackageSource::Form::package) {
    const auto copy = files.digest(copy_of(*spec_->source));
    state.has_copy = copy && *copy == spec_->source->sha256;
    if (!state.has_copy) state.source_digest = files.digest(spec_->source->what);
  }
  state.today = host.clock.utc_now();
  return state;
}

Json DriverState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  Json shown{{"installed", json_of(installed)}, {"loaded", json_of(loaded)}};
  shown["flavor"] = flavor                ? Json(to_string(*flavor))
                    : flavor.is_unknown() ? Json{{"unknown", flavor.reason()}}
                                          : Json();
  shown["other_kernels"] = other_kernels ? json_of(*other_kernels) : unknown_json(other_kernels.error());
  if (packages || packages.error().kind != ErrorKind::not_found) shown["packages"] = json_of(packages);
  return shown;
}

std::optional<Truth> Driver::holds_in(const Fact& fact, const DriverState& state) const {
  if (fact != gpu_facts::manager_installed()) return std::nullopt;
  if (!state.running) return Truth::unknown("no kernel runs under --root");
  if (!state.manager_installed) return Truth::unknown(state.manager_installed.error().message);
  return Truth::of(*state.manager_installed);
}

std::string Driver::obstacle_in(const Fact& fact, const DriverState&) const {
  if (fact != gpu_facts::manager_installed()) return {};
  return "NVIDIA's vGPU manager is not installed: name it under driver, with flavor: vgpu-manager and a "
         "source";
}

}  // namespace gpuhost
