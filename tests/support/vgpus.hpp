#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "kinds/vgpu/vgpu.hpp"
#include "support/gpu_files.hpp"
#include "support/gpu_plans.hpp"

namespace gpuhost::testing {

inline const std::string machine_id = "4c4f5b1e9d3e4c0fa7b8d2e6513f9a01";
inline const std::string mdev_devices = "/sys/bus/mdev/devices/";
inline constexpr const char* a100 = "0000:41:00.0";
inline const std::vector<std::string> a100_functions{"0000:41:00.4", "0000:41:00.5", "0000:41:00.6",
                                                     "0000:41:00.7"};
inline constexpr const char* m60_first = "0000:06:00.0";
inline constexpr const char* m60_second = "0000:07:00.0";

/// A host whose vGPU manager offers mediated vGPUs, and makes and removes them.
class VgpuHost {
 public:
  FakeHost fake;
  std::optional<Error> refusal;  ///< what a write to `create` answers
  bool appears_late = false;     ///< a vGPU is there when somebody has waited
  bool deaf = false;             ///< the driver takes parameters and forgets them
  unsigned writes_left = 1000;   ///< the write after them and all others fail, as if gpuhost had died there
  std::vector<std::string> log;  ///< "create 0000:41:00.4 nvidia-470", "remove", "params a=1"

  VgpuHost() {
    fake.files["/etc/machine-id"] = machine_id + "\n";
    fake.directories.insert("/sys/class/mdev_bus");
    fake.directories.insert("/sys/module/nvidia_vgpu_vfio");
    fake.on_attribute = [this](const std::string& path, std::string_view text) { return write(path, text); };
    fake.on_wait = [this] {
      for (const auto& made : std::exchange(late_, {})) appear(made);
    };
  }
  VgpuHost(const VgpuHost&) = delete;
  VgpuHost& operator=(const VgpuHost&) = delete;

  /// Without virtual functions.
  void add_gpu(const std::string& address, const std::string& device, const std::string& pci_class,
               const std::string& driver = "nvidia") {
    put_function(fake, {.address = address,
                        .device = device,
                        .pci_class = pci_class,
                        .driver = driver,
                        .group = next_group_++});
    if (driver == "nvidia") put_driver_information(fake, address, "GPU-" + address, 0);
  }
  /// Both GPUs of a Tesla M60 in graphics mode, each with all types.
  void add_m60() {
    for (const auto* gpu : {m60_first, m60_second}) {
      add_gpu(gpu, "0x13f2", "0x030000");
      offer_types(gpu, 0x13f2);
    }
  }
  /// An A100 with four virtual functions, or none yet.
  void add_a100(bool enabled = true) {
    add_gpu(a100, "0x20f1", "0x030200");
    fake.files[pci_devices + a100 + "/sriov_totalvfs"] = "4\n";
    if (!enabled) return;
    put_virtual_functions(fake, a100, a100_functions, next_group_);
    next_group_ += 4;
    for (const auto& function : a100_functions) offer_types(function, 0x20f1);
  }
  /// All time-sliced types of the board, with as many free instances as fit.
  void offer_types(const std::string& parent, std::uint16_t device) {
    for (const auto& type : catalog::types_of(*catalog::board_of(device, 0x145f))) {
      if (!type.gpu_instance.empty()) continue;
      const auto at = types_of(parent) + fmt::format("/nvidia-{}", type.id.value_or(9999));
      fake.files[at + "/name"] = std::string(type.name) + "\n";
      fake.files[at + "/description"] = fmt::format(
          "num_heads=1, frl_config=60, framebuffer={}M, max_resolution=4096x2160, max_instance={}\n",
          type.framebuffer_mb.value_or(0), type.max.value_or(1));
      fake.files[at + "/available_instances"] = fmt::format("{}\n", type.max.value_or(1));
    }
  }
  void withdraw_types(const std::string& parent) {
    std::erase_if(fake.files,
                  [&](const auto& file) { return file.first.starts_with(types_of(parent) + "/"); });
  }
  void set_available(const std::string& parent, const std::string& id, unsigned count) {
    fake.files[types_of(parent) + "/" + id + "/available_instances"] = fmt::format("{}\n", count);
  }
  /// A vGPU that is there, whoever made it.
  void add_vgpu(const std::string& uuid, const std::string& parent, const std::string& id) {
    appear({uuid, parent, id});
  }
  void remove_vgpu(const std::string& uuid) {
    const auto below = [&](const auto& entry) { return entry.first.starts_with(mdev_devices + uuid); };
    std::erase_if(fake.files, below);
    std::erase_if(fake.links, below);
  }
  void reboot() {
    while (!vgpus().empty()) remove_vgpu(vgpus().front());
  }
  /// UUIDs, sorted.
  [[nodiscard]] std::vector<std::string> vgpus() const {
    return fake.list("/sys/bus/mdev/devices").value_or(std::vector<std::string>{});
  }
  /// "0000:41:00.4 GRID A100-8C"
  [[nodiscard]] std::string vgpu(const std::string& uuid) const {
    const auto target = fake.link_target(mdev_devices + uuid).value_or("//");
    const auto parts = split(target, '/');
    return std::string(parts[parts.size() - 2]) + " " +
           std::string(trim(fake.read(mdev_devices + uuid + "/mdev_type/name").value_or("")));
  }
  [[nodiscard]] std::string params(const std::string& uuid) const {
    return fake.read(mdev_devices + uuid + "/nvidia/vgpu_params").value_or("none");
  }
  /// A running guest whose definition has the vGPU; off if `running` is false.
  void add_guest(const std::string& name, const std::string& uuid, bool running = true) {
    const auto xml = fmt::format(
        "<domain type='kvm'><name>{}</name><devices><hostdev mode='subsystem' type='mdev' managed='no' "
        "model='vfio-pci'><source><address uuid='{}'/></source></hostdev></devices></domain>",
        name, uuid);
    if (!fake.guests) fake.guests.emplace();
    (*fake.guests)[name] = {
        .name = name, .persistent = true, .running = running, .definition = xml, .live = running ? xml : ""};
  }

 private:
  struct Made {
    std::string uuid;
    std::string parent;
    std::string id;
  };

  static std::string types_of(const std::string& parent) {
    return pci_devices + parent + "/mdev_supported_types";
  }

  Result<void> write(const std::string& path, std::string_view text) {
    if (writes_left == 0) return fail(ErrorKind::io, "killed");
    --writes_left;
    const auto parts = split(path, '/');
    const auto part = [&](std::size_t from_end) { return std::string(parts[parts.size() - 1 - from_end]); };
    if (part(0) == "create") return create({std::string(text), part(3), part(1)});
    if (part(0) == "remove") {
      log.emplace_back("remove");
      remove_vgpu(part(1));
      return {};
    }
    if (part(0) != "vgpu_params") return fail(ErrorKind::not_found, "no attribute " + path);
    log.push_back(fmt::format("params '{}'", text));
    if (!deaf) fake.files[path] = text == " " ? "\n" : std::string(text) + "\n";
    return {};
  }

  Result<void> create(const Made& made) {
    log.push_back(fmt::format("create {} {}", made.parent, made.id));
    if (refusal) return std::unexpected(*refusal);
    if (fake.link_target(mdev_devices + made.uuid)) return fail(ErrorKind::io, "File exists");
    if (appears_late)
      late_.push_back(made);
    else
      appear(made);
    return {};
  }

  void appear(const Made& made) {
    const auto name = fake.read(types_of(made.parent) + "/" + made.id + "/name");
    put_mediated_device(fake, made.uuid, made.parent, made.id, std::string(trim(name.value_or(""))),
                        next_group_++);
    fake.files[mdev_devices + made.uuid + "/nvidia/vgpu_params"] = "\n";
  }

  std::vector<Made> late_;
  int next_group_ = 40;
};

inline VgpuSpec::Vgpus some(const std::string& name, const std::string& type, unsigned count = 1) {
  return {.name = {name, Mark{}},
          .type = type,
          .count = count,
          .instance = {},
          .params = {},
          .uuids = {},
          .vfs = {},
          .placement = {}};
}

/// An entry that lists exactly these.
inline ForGpus<VgpuSpec> listing(const char* name, const char* address, std::vector<VgpuSpec::Vgpus> vgpus) {
  ForGpus<VgpuSpec> entry{entry_of(name, address, GpuMode::vgpu), {}};
  entry.spec.vgpus = Located{std::move(vgpus), Mark{}};
  return entry;
}

/// The UUID that gpuhost gives: "left/train/0".
inline std::string uuid_of(const std::string& name) {
  return Uuid::from_name(*Uuid::from_machine_id(machine_id), name).to_string();
}

/// What a run leaves on record of a vGPU.
inline Claim record(const std::string& name, const std::string& uuid, const std::string& type,
                    const std::string& parent, std::optional<unsigned> function, const std::string& gpu) {
  Json applied{{"gpu", gpu}, {"name", name}, {"type", type}, {"parent", parent}};
  if (function) applied["function"] = *function;
  return {"vgpu[" + uuid + "]", nullptr, std::move(applied)};
}

inline const Step* step_titled(const Proposal& proposal, const std::string& title) {
  const auto found = std::ranges::find(proposal.steps, title, &Step::title);
  return found == proposal.steps.end() ? nullptr : &*found;
}

/// Why the step cannot run, all reasons in one; empty: it can, or it is not there.
inline std::string why_blocked(const Proposal& proposal, const std::string& title) {
  const auto* step = step_titled(proposal, title);
  return step == nullptr ? std::string{} : join(step->blocked_by, "; ");
}

}  // namespace gpuhost::testing
