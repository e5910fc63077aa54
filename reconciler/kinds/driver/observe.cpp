#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/driver/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

using Flavor = DriverSpec::Flavor;

constexpr const char* modules_directory = "/lib/modules";
/// The licence daemon, which comes with the drivers for guests and for licensed bare metal.
constexpr const char* licence_daemon = "/usr/bin/nvidia-gridd";

/// From the index that depmod makes, a line "PATH: DEPENDENCIES" for each module. Source: modules.dep(5).
bool lists_driver(std::string_view index) {
  return std::ranges::any_of(lines(index), [](std::string_view line) {
    const auto path = line.substr(0, line.find(':'));
    return path.substr(path.rfind('/') + 1).starts_with("nvidia.ko");
  });
}

Result<DriverState::InKernels> look_at_kernels(const FileReader& files, const std::string& running) {
  const auto names = files.list(modules_directory);
  if (!names && names.error().kind == ErrorKind::not_found) return DriverState::InKernels{};
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

Observed<std::string> look_at_loaded(const FileReader& files) {
  auto version = files.read("/sys/module/nvidia/version");
  if (!version) return Observed<std::string>::from(std::move(version));
  return std::string(trim(*version));
}

/// Told by what only one of them brings: the manager a module of its own, the graphics driver the licence
/// daemon.
Observed<Flavor> look_at_flavor(const HostView& host, const DriverState& state) {
  using Observation = Observed<Flavor>;
  if (!state.manager_loaded) return Observation::unknown(state.manager_loaded.error().message);
  if (*state.manager_loaded) return Flavor::vgpu_manager;
  const auto manager = host.modules.available(manager_module);
  if (manager) return Flavor::vgpu_manager;
  if (manager.error().kind != ErrorKind::not_found) return Observation::unknown(manager.error().message);
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
  if (!spec_ || !host.running) return state;
  const auto& files = host.files;
  state.kernel = trim(files.read("/proc/sys/kernel/osrelease").value_or(""));
  state.installed = look_at_installed(host.modules);
  state.other_kernels = look_at_kernels(files, state.kernel);
  state.loaded = look_at_loaded(files);
  state.manager_loaded = files.exists(fmt::format("/sys/module/{}", manager_module));
  state.nouveau_loaded = files.exists("/sys/module/nouveau");
  state.packages = read_nvidia_packages(files);
  state.flavor = look_at_flavor(host, state);
  state.inventory = inventory_of(host);
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

}  // namespace gpuhost
