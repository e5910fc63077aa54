#include "kinds/cross_checks.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "catalog/releases.hpp"
#include "document/messages.hpp"
#include "document/names.hpp"

namespace gpuhost {

namespace {

using Flavor = DriverSpec::Flavor;
using Sizes = VgpuSpec::Sizes;
using Policy = VgpuSpec::Scheduler::Policy;

constexpr std::size_t most_functions = 4096;

bool has_vgpus(const GpuSpecs& gpu) {
  return gpu.vgpu.vgpus && !gpu.vgpu.vgpus->value.empty();
}

bool is_mixed(const GpuSpecs& gpu) {
  return gpu.vgpu.sizes && **gpu.vgpu.sizes == Sizes::mixed;
}

/// Whether the host driver can serve the mode; the passthrough driver is the kernel's.
bool serves(Flavor flavor, GpuMode mode) {
  switch (mode) {
    case GpuMode::vgpu:
      return flavor == Flavor::vgpu_manager;
    case GpuMode::bare_metal:
      return flavor == Flavor::graphics || flavor == Flavor::datacenter;
    case GpuMode::passthrough:
      return true;
  }
  return true;
}

class Checks {
 public:
  Checks(const DocumentSpecs& document, Diagnostics& diagnostics)
      : document_(document), diagnostics_(diagnostics) {}

  void run() {
    for (const auto& gpu : document_.gpus) {
      check_mode(gpu);
      check_keys_of_mode(gpu);
      check_sizes(gpu);
      check_instances(gpu);
      check_partition(gpu);
      check_uuids(gpu);
      check_selector(gpu);
      declare(gpu);
    }
    check_one_driver();
    check_vgpu_count();
    for (const auto& vm : document_.vms) check_vm(vm);
    check_license();
    check_driver();
  }

 private:
  void report(const Message& message, Mark mark, std::string text, std::string advice = {},
              std::optional<Mark> other = {}) {
    diagnostics_.report(message, mark, std::move(text), std::move(advice), other);
  }

  void check_mode(const GpuSpecs& gpu) {
    const auto& mode = gpu.entry.mode;
    if (!mode || !document_.driver) return;
    const auto& flavor = document_.driver->value.flavor;
    if (flavor && !serves(**flavor, **mode))
      report(
          messages::mode_without_driver, mode->mark,
          fmt::format("the mode {} does not go with the driver's flavor", to_string(**mode)),
          **mode == GpuMode::vgpu ? "it needs flavor vgpu-manager" : "it needs flavor graphics or datacenter",
          flavor->mark);
  }

  /// A host has one NVIDIA driver, and the two modes need different ones.
  void check_one_driver() {
    const auto first_in = [&](GpuMode mode) {
      return std::ranges::find_if(
          document_.gpus, [&](const GpuSpecs& gpu) { return gpu.entry.mode && **gpu.entry.mode == mode; });
    };
    const auto vgpu = first_in(GpuMode::vgpu);
    const auto bare_metal = first_in(GpuMode::bare_metal);
    if (vgpu == document_.gpus.end() || bare_metal == document_.gpus.end()) return;
    report(messages::two_drivers, bare_metal->entry.mode->mark,
           "modes vgpu and bare-metal need different drivers on one host", "choose one of them for this host",
           vgpu->entry.mode->mark);
  }

  void check_keys_of_mode(const GpuSpecs& gpu) {
    const auto& mode = gpu.entry.mode;
    if (!mode) return;
    const auto refuse = [&](std::string_view key, Mark mark, std::string_view needed) {
      report(messages::wrong_mode, mark,
             fmt::format("'{}' does not go with the mode {}", key, to_string(**mode)),
             fmt::format("remove it, or set mode: {}", needed), mode->mark);
    };
    if (**mode != GpuMode::vgpu) {
      if (has_vgpus(gpu)) refuse("vgpus", gpu.vgpu.vgpus->mark, "vgpu");
      if (gpu.vgpu.scheduler) refuse("scheduler", gpu.vgpu.scheduler->mark, "vgpu");
      if (gpu.vgpu.sizes) refuse("sizes", gpu.vgpu.sizes->mark, "vgpu");
    }
    if (**mode == GpuMode::passthrough && gpu.mig && gpu.mig->value.mode != MigSpec::Mode::disabled)
      refuse("mig", gpu.mig->mark, "vgpu or bare-metal");
    if (**mode == GpuMode::passthrough && gpu.functions && gpu.functions->value.enabled)
      refuse("functions", gpu.functions->mark, "vgpu");
    if (**mode != GpuMode::passthrough && gpu.passthrough)
      refuse("companions", gpu.passthrough->mark, "passthrough");
  }

  void check_sizes(const GpuSpecs& gpu) {
    const auto& scheduler = gpu.vgpu.scheduler;
    if (is_mixed(gpu)) {
      const Mark sizes = gpu.vgpu.sizes->mark;
      if (gpu.mig && gpu.mig->value.mode != MigSpec::Mode::disabled)
        report(messages::mixed_sizes, gpu.mig->mark, "mixed sizes do not go with MIG",
               "set sizes: equal, or mig: disabled", sizes);
      if (scheduler && scheduler->value.policy && **scheduler->value.policy == Policy::fixed_share)
        report(messages::mixed_sizes, scheduler->value.policy->mark,
               "fixed-share does not go with mixed sizes",
               "choose best-effort or equal-share, or set sizes: equal", sizes);
    } else if (gpu.vgpu.vgpus) {
      for (const auto& vgpus : **gpu.vgpu.vgpus)
        if (vgpus.placement)
          report(messages::mixed_sizes, vgpus.placement->mark, "'placement' goes with mixed sizes only",
                 "set sizes: mixed, or remove it");
    }
  }

  /// Every `instance` is the name of a MIG instance of the entry.
  void check_instances(const GpuSpecs& gpu) {
    if (!gpu.vgpu.vgpus) return;
    std::map<const MigSpec::GpuInstances*, unsigned> vgpus_on;
    for (const auto& vgpus : **gpu.vgpu.vgpus) {
      if (!vgpus.instance) continue;
      const auto* instances = instances_named(gpu, **vgpus.instance);
      if (instances == nullptr)
        report_no_instance(gpu, *vgpus.instance);
      else
        check_instance(vgpus, *instances, vgpus_on[instances]);
    }
  }

  /// With MIG on, a GPU has no time-sliced vGPUs; and a GPU instance is cut into no more than it has, or is a
  /// vGPU's. Sources: NVIDIA Virtual GPU Software User Guide, "Valid … Configurations on a Single GPU"; MIG
  /// User Guide, "Compute Instances".
  void check_partition(const GpuSpecs& gpu) {
    if (!gpu.mig || gpu.mig->value.mode != MigSpec::Mode::exact) return;
    if (gpu.vgpu.vgpus)
      for (const auto& vgpus : **gpu.vgpu.vgpus) check_made_on_instance(vgpus, gpu);
    for (const auto& instances : gpu.mig->value.instances)
      if (instances.compute) check_compute(instances, gpu.mig->mark);
  }

  void check_made_on_instance(const VgpuSpec::Vgpus& vgpus, const GpuSpecs& gpu) {
    const auto* type = catalog::find_type(vgpus.type);
    if (type == nullptr || vgpus.instance) return;  // `instance` is checked on its own
    if (type->gpu_instance.empty())
      return report(messages::contradiction, vgpus.name.mark,
                    fmt::format("{} is time-sliced on the whole GPU, and 'mig' has MIG on", vgpus.type),
                    "set mig: disabled, or choose a type that is made on an instance, as A100-3-20C",
                    gpu.mig->mark);
    const auto free = free_instances(*gpu.mig, type->gpu_instance);
    const auto each = std::max(catalog::vgpus_per_instance(*type).value_or(vgpus.count), 1U);
    if (free && (vgpus.count + each - 1) / each > *free)
      report(messages::contradiction, vgpus.name.mark,
             fmt::format("{} is made on a {}, and 'compute' cuts those up", vgpus.type, type->gpu_instance),
             "leave out 'compute': the driver makes what the vGPU needs", gpu.mig->mark);
  }

  /// How many instances of a profile the entry leaves uncut; nothing: it cuts none up.
  static std::optional<unsigned> free_instances(const Located<MigSpec>& mig, std::string_view profile) {
    unsigned free = 0;
    bool cuts = false;
    for (const auto& instances : mig->instances) {
      if (!catalog::same_mig_profile(profile, instances.profile)) continue;
      const bool is_cut = instances.compute && !instances.compute->empty();
      cuts |= is_cut;
      if (!is_cut) free += instances.count;
    }
    return cuts ? std::optional(free) : std::nullopt;
  }

  /// Of "1c.3g.20gb" the instance's part is behind the first point.
  void check_compute(const MigSpec::GpuInstances& instances, Mark mark) {
    unsigned used = 0;
    for (const auto& compute : *instances.compute) used += leading_number(compute.profile) * compute.count;
    const auto there = leading_number(instances.profile);
    if (used > there)
      report(messages::out_of_range, instances.name ? instances.name->mark : mark,
             fmt::format("the compute instances take {} slices of a {}, which has {}", used,
                         instances.profile, there),
             "lower the count, or choose smaller ones");
  }

  static unsigned leading_number(std::string_view profile) {
    const auto digits = profile.substr(0, std::min(profile.find_first_not_of("0123456789"), profile.size()));
    return static_cast<unsigned>(parse_unsigned(digits).value_or(0));
  }

  static const MigSpec::GpuInstances* instances_named(const GpuSpecs& gpu, const std::string& name) {
    if (!gpu.mig) return nullptr;
    const auto& all = gpu.mig->value.instances;
    const auto found =
        std::ranges::find_if(all, [&](const auto& one) { return one.name && one.name->value == name; });
    return found == all.end() ? nullptr : &*found;
  }

  void report_no_instance(const GpuSpecs& gpu, const Located<std::string>& name) {
    std::vector<std::string> known;
    if (gpu.mig)
      for (const auto& instances : gpu.mig->value.instances)
        if (instances.name) known.push_back(instances.name->value);
    const auto near = suggest(*name, known);
    report(messages::undefined_name, name.mark,
           fmt::format("no MIG instance of this GPU has the name '{}'", *name),
           near ? fmt::format("did you mean '{}'?", *near) : "give the name to an entry of 'mig'");
  }

  /// `before`: vGPUs of earlier entries on these instances; those of this one are added.
  void check_instance(const VgpuSpec::Vgpus& vgpus, const MigSpec::GpuInstances& instances,
                      unsigned& before) {
    const auto mark = vgpus.instance->mark;
    const auto there = instances.name->mark;
    const auto* type = catalog::find_type(vgpus.type);
    if (type == nullptr) return;  // whether the GPU has it is seen on the host
    if (type->gpu_instance.empty())
      return report(messages::contradiction, mark,
                    fmt::format("{} is time-sliced on the whole GPU, and on no MIG instance", vgpus.type),
                    "leave out 'instance', or choose a type as A100-3-20C", there);
    if (!catalog::same_mig_profile(type->gpu_instance, instances.profile))
      return report(messages::contradiction, mark,
                    fmt::format("{} is made on a {}, and '{}' is a {}", vgpus.type, type->gpu_instance,
                                **vgpus.instance, instances.profile),
                    "choose an instance of that profile, or a type for this one", there);
    const auto each = catalog::vgpus_per_instance(*type);
    before += vgpus.count;
    if (!each || before <= *each * instances.count) return;
    report(messages::out_of_range, mark,
           fmt::format("{} vGPUs are wanted on '{}', which carries {} of {}", before, **vgpus.instance,
                       *each * instances.count, vgpus.type),
           "lower the count, or list more instances", there);
  }

  /// A UUID is that of one vGPU.
  void check_uuids(const GpuSpecs& gpu) {
    if (!gpu.vgpu.vgpus) return;
    for (const auto& vgpus : **gpu.vgpu.vgpus)
      for (const auto& uuid : vgpus.uuids)
        if (const auto [first, added] = uuids_.emplace(*uuid, uuid.mark); !added)
          report(messages::used_twice, uuid.mark,
                 fmt::format("the UUID {} is that of another vGPU too", uuid->to_string()),
                 "give each vGPU a UUID of its own", first->second);
  }

  void check_selector(const GpuSpecs& gpu) {
    const auto& selector = gpu.entry.selector;
    if (!selector) return;
    for (const auto& [other, mark] : selectors_)
      if (other.same_gpus_as(*selector)) {
        report(messages::same_gpu, gpu.entry.match_mark,
               fmt::format("another entry selects {} too", selector->to_string()),
               "make one entry of the two", mark);
        return;
      }
    selectors_.emplace_back(*selector, gpu.entry.match_mark);
  }

  void declare(const GpuSpecs& gpu) {
    const auto& name = gpu.entry.name;
    const auto& selector = gpu.entry.selector;
    if (!name && has_vgpus(gpu))
      report(messages::missing_key, gpu.entry.mark, "the key 'name' is missing",
             "vGPUs are told apart by the name of their GPU over reboots and board swaps");
    if (!name) return;
    names_.declare_gpu(*name, selector.value_or(GpuSelector{}), diagnostics_);
    gpus_.emplace(**name, &gpu);
    if (!gpu.vgpu.vgpus) return;
    for (const auto& vgpus : **gpu.vgpu.vgpus) names_.declare_vgpus(**name, *vgpus.name, vgpus.count);
  }

  void check_vgpu_count() {
    std::size_t count = 0;
    for (const auto& gpu : document_.gpus)
      if (gpu.vgpu.vgpus)
        for (const auto& vgpus : **gpu.vgpu.vgpus) {
          count += vgpus.count;
          if (count > most_functions) {
            report(messages::too_many_entries, vgpus.name.mark,
                   fmt::format("the document has more than {} vGPUs", most_functions));
            return;
          }
        }
  }

  void check_vm(const VmSpecs& specs) {
    const auto& name = specs.vm.name;
    if (const auto [first, added] = vms_.emplace(*name, name.mark); !added && !name->empty())
      report(messages::duplicate_name, name.mark,
             fmt::format("another virtual machine has the name '{}'", *name), {}, first->second);
    if (specs.guest_driver) check_guest_driver(specs.guest_driver->value);
    if (!specs.vm.devices) return;
    for (const auto& device : **specs.vm.devices) {
      if (device.name->empty()) continue;
      if (device.type == VmSpec::Device::Type::vgpu)
        names_.refer_vgpu(device.name, diagnostics_);
      else if (const auto gpu = names_.refer_gpu(device.name, diagnostics_))
        check_passed_through(*gpus_.at(*gpu), device.name.mark);
    }
  }

  void check_passed_through(const GpuSpecs& gpu, Mark mark) {
    const auto& mode = gpu.entry.mode;
    if (mode && **mode != GpuMode::passthrough)
      report(messages::wrong_mode, mark,
             fmt::format("a GPU in mode {} cannot be given to a virtual machine whole", to_string(**mode)),
             "set mode: passthrough, or give one of its vGPUs", mode->mark);
  }

  void check_license() {
    if (!document_.license) return;
    const auto makes_vgpus = [](const GpuSpecs& gpu) {
      return gpu.entry.mode && **gpu.entry.mode == GpuMode::vgpu;
    };
    const auto gpu = std::ranges::find_if(document_.gpus, makes_vgpus);
    if (gpu != document_.gpus.end())
      report(messages::contradiction, document_.license->mark,
             "a host with vGPUs has no licence itself: their guests have",
             "put 'license' into the entries of 'vms' that need one", gpu->entry.mode->mark);
    if (!document_.driver) return;
    const auto& flavor = document_.driver->value.flavor;
    if (flavor && **flavor != Flavor::graphics)
      report(messages::contradiction, document_.license->mark, "a host is licensed with flavor graphics only",
             "put 'license' into the entries of 'vms' that need one", flavor->mark);
  }

  /// Nothing if no release is given, or one that nobody knows, which is then reported.
  const catalog::Release* release_of(const std::optional<Located<std::string>>& name) {
    if (!name) return nullptr;
    const auto* release = catalog::find_release(**name);
    if (release != nullptr) return release;
    std::vector<std::string> known;
    for (const auto& one : catalog::releases()) known.emplace_back(one.name);
    const auto near = suggest(**name, known);
    report(
        messages::undefined_name, name->mark,
        fmt::format("no release {} of the vGPU software is known", **name),
        fmt::format("{}or give 'version' in its place; gpuhost catalog releases lists those that are known",
                    near ? fmt::format("did you mean '{}'? ", *near) : std::string{}));
    return nullptr;
  }

  void check_driver() {
    if (!document_.driver) return;
    const auto& driver = document_.driver->value;
    const auto* release = release_of(driver.release);
    if (release == nullptr || !driver.version || !driver.flavor) return;
    const auto version = host_version(*release, **driver.flavor);
    if (**driver.version != version)
      report(messages::contradiction, driver.version->mark,
             fmt::format("release {} has version {} of this driver", release->name, version),
             "give one of the two, or let them agree", driver.release->mark);
  }

  void check_guest_driver(const GuestDriverSpec& driver) {
    const auto* release = release_of(driver.release);
    if (release == nullptr || !driver.version) return;
    if (**driver.version != release->linux_guest && **driver.version != release->windows_guest)
      report(messages::contradiction, driver.version->mark,
             fmt::format("release {} has the guest drivers {} (Linux) and {} (Windows)", release->name,
                         release->linux_guest, release->windows_guest),
             "give one of the two, or let them agree", driver.release->mark);
  }

  const DocumentSpecs& document_;
  Diagnostics& diagnostics_;
  DeviceNames names_;
  std::map<std::string, const GpuSpecs*> gpus_;
  std::vector<std::pair<GpuSelector, Mark>> selectors_;
  std::map<std::string, Mark> vms_;
  std::map<Uuid, Mark> uuids_;
};

}  // namespace

void check_across_kinds(const DocumentSpecs& document, Diagnostics& diagnostics) {
  Checks(document, diagnostics).run();
}

}  // namespace gpuhost
