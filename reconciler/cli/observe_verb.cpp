#include <array>

#include <fmt/format.h>

#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "host/sim/recorder.hpp"
#include "inventory/guest_reports.hpp"
#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/registry.hpp"
#include "kinds/units/unit_name.hpp"
#include "render/json_text.hpp"
#include "render/observation.hpp"

namespace gpuhost {

namespace {

Described describe(const Kinds& kinds, const HostView& host) {
  const auto seen = observe_all(kinds, host);
  Described described;
  for (std::size_t i = 0; i < kinds.size(); ++i)
    described.emplace_back(kinds[i]->name(), seen[i]->describe());
  return described;
}

/// Any document may name any unit: those with a file where systemd looks for one. systemd.unit(5), "Unit File
/// Load Path".
void look_at_all_units(const FileReader& files, const UnitReader& units) {
  for (const auto* directory : {"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                                "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator"})
    for (const auto& name : files.list(directory).value_or(std::vector<std::string>{})) {
      if (!unit_name::is_manageable(name)) continue;
      const auto state = units.state(name);
      if (!state && state.error().kind == ErrorKind::unavailable) return;
    }
}

/// What documents for GPU hosts name. Not all modules: a parameter of another one may be a secret.
constexpr std::array<std::string_view, 18> gpu_host_modules{
    "i2c_nvidia_gpu", "kvm",           "kvm_amd",        "kvm_intel",        "mdev",       "nouveau",
    "nvidia",         "nvidia_drm",    "nvidia_modeset", "nvidia_peermem",   "nvidia_uvm", "nvidia_vgpu_vfio",
    "nvidiafb",       "snd_hda_intel", "vfio",           "vfio_iommu_type1", "vfio_pci",   "vfio_pci_core"};

void look_at_modules(const HostView& view) {
  for (const auto name : gpu_host_modules) {
    (void)view.modules.available(std::string(name));
    const auto directory = fmt::format("/sys/module/{}/parameters", name);
    for (const auto& parameter : view.files.list(directory).value_or(std::vector<std::string>{}))
      (void)view.files.read(fmt::format("{}/{}", directory, parameter));
  }
}

/// What a document may ask of the vGPUs that are there.
void look_at_vgpus(const HostView& view) {
  const auto inventory = inventory_of(view);
  if (!*inventory) return;
  for (const auto& gpu : (**inventory).gpus) {
    for (const auto& vgpu : gpu.mediated_devices)
      (void)view.files.read(
          fmt::format("/sys/bus/mdev/devices/{}/nvidia/vgpu_params", vgpu.uuid.to_string()));
    for (const auto& function : gpu.functions)
      if (function.vgpu_type != 0)
        (void)view.files.read(
            fmt::format("/sys/bus/pci/devices/{}/nvidia/vgpu_params", function.address.to_string()));
  }
}

HostFile record(const Target& target, const Kinds& kinds) {
  const auto live = target.view();
  auto recorded = record_host(live, [&](const HostView& view) {
    (void)HostIdentity::read(view.files);
    (void)view.files.read(std::string(local_limits_path));
    (void)observe_all(kinds, view);
    if (!view.running) return;
    (void)observe_all(kinds_of_all_gpus(), view);
    look_at_vgpus(view);
    look_at_modules(view);
    look_at_all_units(live.files, view.units);  // listed past the recording, which needs no unit files
  });
  if (const auto* file = target.host_file()) {  // a host file lists what it has, asked for or not
    recorded.modules = file->modules;
    recorded.units = file->units;
    recorded.machine = file->machine;
  }
  return recorded;
}

/// Asks the guests, and keeps what they say for those who plan.
Result<void> ask_guests(Target& target) {
  auto host = target.host();
  const auto asked = guest_reports::ask(system_connection, host);
  if (!asked) return std::unexpected(asked.error());
  return guest_reports::store(*asked, host.view.files, host.files);
}

}  // namespace

ExitCode run_observe(const Options& options) {
  auto target = Target::open(options);
  if (!target) return target.error();
  if (options.guests)
    if (const auto asked = ask_guests(*target); !asked) return report(asked.error());
  const auto kinds = all_kinds();
  const auto host = HostIdentity::read(target->view().files);
  const auto described = describe(kinds, target->view());
  print(options.format == "json"
            ? json_text(observation_json(host, described))
            : observation_text(host, described, output_style(options.no_color, options.verbose)));
  if (options.record.empty()) return ExitCode::done;
  const auto written = write_local_file(options.record, write_host_file(record(*target, kinds)));
  return written ? ExitCode::done : report(written.error());
}

}  // namespace gpuhost
