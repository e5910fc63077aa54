#include "inventory/holders.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/domain_xml.hpp"

namespace gpuhost {

namespace {

/// All that some GPU, function or vGPU is reached by in /dev.
struct Nodes {
  std::map<std::string, std::vector<PciAddress>> functions;
  std::map<std::string, std::vector<Uuid>> vgpus;

  explicit Nodes(const Inventory& inventory) {
    for (const auto& gpu : inventory.gpus) {
      if (gpu.device_minor) add(fmt::format("/dev/nvidia{}", *gpu.device_minor), gpu.address);
      for (const auto& node : gpu.drm_nodes) add("/dev/dri/" + node, gpu.address);
      add_group(gpu.iommu_group, gpu.address);
      for (const auto& companion : gpu.companions) add_group(companion.iommu_group, companion.address);
      for (const auto& function : gpu.functions) add_group(function.iommu_group, function.address);
      for (const auto& vgpu : gpu.mediated_devices)
        if (vgpu.iommu_group) vgpus[fmt::format("/dev/vfio/{}", *vgpu.iommu_group)].push_back(vgpu.uuid);
    }
  }

 private:
  void add(const std::string& node, const PciAddress& address) { functions[node].push_back(address); }
  void add_group(std::optional<unsigned> group, const PciAddress& address) {
    if (group) add(fmt::format("/dev/vfio/{}", *group), address);
  }
};

/// The service that a process belongs to; empty: none. Sessions of users have slices of their own, and what
/// lies below a scope or a pod's folder are the units of a container, not of this host. Source:
/// systemd.special(7), "system.slice".
std::string unit_of(const std::string& cgroup) {
  if (!cgroup.starts_with("/system.slice/") || cgroup.contains("/kubepods")) return {};
  for (const auto part : split(cgroup, '/')) {
    if (part.ends_with(".service")) return std::string(part);
    if (!part.empty() && !part.ends_with(".slice")) return {};
  }
  return {};
}

/// A node of /dev/nvidiaN, N a number: a GPU, whichever it is.
bool is_gpu_node(std::string_view node) {
  constexpr std::string_view prefix = "/dev/nvidia";
  return node.starts_with(prefix) && parse_unsigned(node.substr(prefix.size()));
}

/// Whose the process is, where neither systemd nor the local libvirt keeps it. Sources: Proxmox VE starts
/// each guest in qemu.slice/VMID.scope (qemu-server, PVE/QemuServer.pm); Kubernetes' pods lie below
/// kubepods.slice (or kubepods with cgroupfs).
std::string remark_on(const std::string& cgroup) {
  constexpr std::string_view proxmox = "/qemu.slice/";
  if (cgroup.starts_with(proxmox)) {
    const auto scope = cgroup.substr(proxmox.size());
    return fmt::format("guest {} of Proxmox VE", scope.substr(0, scope.find('.')));
  }
  return cgroup.starts_with("/kubepods") ? "a pod of Kubernetes" : "";
}

/// Also of its processes for single guests; the kernel keeps 15 characters of a name.
constexpr std::string_view vgpu_manager = "nvidia-vgpu-mgr";

/// Sources: nvidia-persistenced(1); NVIDIA DCGM, User Guide, "Getting Started" (nvidia-dcgm.service).
constexpr std::array gpu_openers{"nvidia-persistenced.service", "nvidia-dcgm.service"};

bool is_emulator(const std::string& program) {
  return program.starts_with("qemu") || program == "kvm";
}

template <class T>
bool overlap(const std::vector<T>& a, const std::vector<T>& b) {
  return std::ranges::any_of(a, [&](const T& item) { return std::ranges::find(b, item) != b.end(); });
}

}  // namespace

/// Finds out who uses what; the processes of guests are put down to their guests.
class UsageReader {
 public:
  UsageReader(const Inventory& inventory, const HostView& host) : inventory_(inventory), host_(host) {}

  Usage read() {
    add_guests();
    const auto processes = host_.processes.device_users();
    if (processes)
      for (const auto& process : *processes) add_process(process);
    else
      usage_.unknown_ = processes.error();
    for (const auto* unit : gpu_openers)
      if (auto state = host_.units.state(unit); state && state->load_state == "loaded")
        usage_.openers_.push_back({unit, *std::move(state)});
    return std::move(usage_);
  }

 private:
  using Use = Usage::Use;

  void add_guests() {
    const auto domains = domains_of(host_, system_connection);
    if (!*domains) return;  // its processes still show who holds a device
    for (const auto& domain : **domains) {
      if (!domain.running) continue;
      Use use{.holder = {.type = Holder::Type::vm, .name = domain.name}};
      const auto xml = read_domain_xml(domain.live);
      if (!xml) continue;
      for (const auto& device : xml->host_devices) {
        if (const auto* address = std::get_if<PciAddress>(&device.device)) {
          if (inventory_.owner_of(*address)) use.functions.push_back(*address);
        } else if (inventory_.find(std::get<Uuid>(device.device))) {
          use.vgpus.push_back(std::get<Uuid>(device.device));
        }
      }
      if (!use.functions.empty() || !use.vgpus.empty()) usage_.uses_.push_back(std::move(use));
    }
  }

  /// /dev/vfio/devices/vfioN of IOMMUFD, by the device it stands for. Source: Linux
  /// Documentation/driver-api/vfio.rst, "VFIO Device cdev".
  void add_vfio_device(const std::string& name, Use& use) {
    const auto link = host_.files.link_target("/sys/class/vfio-dev/" + name);  // …/DEVICE/vfio-dev/vfioN
    const auto parts = split(link ? std::string_view(*link) : std::string_view{}, '/');
    if (parts.size() < 3) return cannot_tell(link ? "no device is above it" : link.error().message, name);
    const auto device = parts[parts.size() - 3];
    if (const auto address = PciAddress::parse(device); address && inventory_.owner_of(*address))
      use.functions.push_back(*address);
    if (const auto uuid = Uuid::parse(device); uuid && inventory_.find(*uuid)) use.vgpus.push_back(*uuid);
  }

  void cannot_tell(const std::string& why, const std::string& node) {
    if (!usage_.unknown_)
      usage_.unknown_ = Error{ErrorKind::io, fmt::format("which device {} is cannot be told: {}", node, why)};
  }

  /// A GPU that NVIDIA's driver has without saying which node is its own may be any node.
  [[nodiscard]] bool some_node_is_unknown() const {
    return std::ranges::any_of(inventory_.gpus,
                               [](const Gpu& gpu) { return gpu.driver == "nvidia" && !gpu.device_minor; });
  }

  void add_process(const Process& process) {
    constexpr std::string_view vfio_devices = "/dev/vfio/devices/";
    Use use{.holder = {.name = process.name, .pid = process.pid}};
    for (const auto& node : process.devices) {
      if (node.starts_with(vfio_devices)) add_vfio_device(node.substr(vfio_devices.size()), use);
      if (is_gpu_node(node) && !nodes_.functions.contains(node) && some_node_is_unknown())
        cannot_tell("/proc/driver/nvidia/gpus has no 'Device Minor' for each GPU", node);
      if (const auto found = nodes_.functions.find(node); found != nodes_.functions.end())
        use.functions.insert(use.functions.end(), found->second.begin(), found->second.end());
      if (const auto found = nodes_.vgpus.find(node); found != nodes_.vgpus.end())
        use.vgpus.insert(use.vgpus.end(), found->second.begin(), found->second.end());
    }
    if (use.functions.empty() && use.vgpus.empty()) return;
    if (is_emulator(process.name) && is_known_guest(use, process.pid)) return;
    if (process.name == vgpu_manager && serves_known_guest(use)) return;
    const bool is_guests =
        is_emulator(process.name) || (process.name == vgpu_manager && some_guest_has_vgpus());
    if (auto unit = is_guests ? std::string{} : unit_of(process.cgroup); !unit.empty())
      use.holder = {.type = Holder::Type::unit, .name = std::move(unit), .pid = process.pid};
    use.holder.remark = remark_on(process.cgroup);
    usage_.uses_.push_back(std::move(use));
  }

  bool is_known_guest(const Use& use, int pid) {
    for (auto& other : usage_.uses_) {
      if (other.holder.type != Holder::Type::vm) continue;
      if (!overlap(other.functions, use.functions) && !overlap(other.vgpus, use.vgpus)) continue;
      other.holder.pid = pid;
      return true;
    }
    return false;
  }

  /// The vGPU manager's process for a guest ends with the guest.
  [[nodiscard]] bool serves_known_guest(const Use& use) const {
    const auto serves = [&](const Gpu* gpu) {
      return std::ranges::any_of(use.functions, [&](const PciAddress& at) { return gpu->has(at); });
    };
    return std::ranges::any_of(usage_.uses_, [&](const Use& other) {
      return std::ranges::any_of(other.vgpus,
                                 [&](const Uuid& uuid) { return serves(inventory_.owner_of(uuid)); }) ||
             std::ranges::any_of(other.functions, [&](const PciAddress& at) {
               return other.holder.type == Holder::Type::vm && is_vgpu(at) && serves(inventory_.owner_of(at));
             });
    });
  }

  /// A function of the vendor-specific framework that has a type.
  [[nodiscard]] bool is_vgpu(const PciAddress& address) const {
    const auto* gpu = inventory_.owner_of(address);
    const auto* function = gpu == nullptr ? nullptr : gpu->function_at(address);
    return function != nullptr && function->vgpu_type != 0;
  }

  /// Stopping the manager would hit the guests of all GPUs.
  [[nodiscard]] bool some_guest_has_vgpus() const {
    return std::ranges::any_of(usage_.uses_, [&](const Use& use) {
      return !use.vgpus.empty() ||
             std::ranges::any_of(use.functions, [&](const PciAddress& at) { return is_vgpu(at); });
    });
  }

  const Inventory& inventory_;
  const HostView& host_;
  const Nodes nodes_{inventory_};
  Usage usage_;
};

namespace {

/// Each once: a unit's processes are one holder.
Holder& add_once(std::vector<Holder>& holders, const Holder& holder) {
  const auto known = std::ranges::find_if(holders, [&](const Holder& other) {
    return other.type == holder.type && other.name == holder.name &&
           (other.type != Holder::Type::process || other.pid == holder.pid);
  });
  return known != holders.end() ? *known : holders.emplace_back(holder);
}

}  // namespace

/// Those who have some device that `asked` says yes to.
template <class Asked>
std::vector<Holder> Usage::having(Asked asked) const {
  std::vector<Holder> holders;
  const auto add = [&](const Use& use, const auto& devices) {
    for (const auto& device : devices)
      if (asked(device)) add_once(holders, use.holder).devices.emplace_back(device);
  };
  for (const auto& use : uses_) {
    add(use, use.functions);
    add(use, use.vgpus);
  }
  return holders;
}

std::vector<Holder> Usage::of(const Gpu& gpu) const {
  struct Belongs {
    const Gpu& gpu;
    bool operator()(const PciAddress& address) const { return gpu.has(address); }
    bool operator()(const Uuid& uuid) const {
      return std::ranges::find(gpu.mediated_devices, uuid, &MediatedDevice::uuid) !=
             gpu.mediated_devices.end();
    }
  };
  return having(Belongs{gpu});
}

std::vector<Holder> Usage::of(const MediatedDevice& vgpu) const {
  struct Same {
    const Uuid& uuid;
    bool operator()(const PciAddress&) const { return false; }
    bool operator()(const Uuid& other) const { return uuid == other; }
  };
  return having(Same{vgpu.uuid});
}

std::vector<Holder> Usage::of(const VirtualFunction& function) const {
  struct Same {
    const PciAddress& address;
    bool operator()(const PciAddress& other) const { return address == other; }
    bool operator()(const Uuid&) const { return false; }
  };
  return having(Same{function.address});
}

Result<void> check_unused(const Gpu& gpu, const HostView& host) {
  const auto usage = usage_of(host);
  if (const auto holders = usage->of(gpu); !holders.empty())
    return fail(ErrorKind::busy,
                fmt::format("GPU {} has come into use by {}", gpu.address.to_string(), holders.front().name),
                "plan again");
  if (usage->unknown()) return std::unexpected(*usage->unknown());
  return {};
}

std::vector<std::string> Usage::units() const {
  std::set<std::string> names;
  for (const auto& use : uses_)
    if (use.holder.type == Holder::Type::unit) names.insert(use.holder.name);
  return {names.begin(), names.end()};
}

std::string sentence_of(const Holder& holder) {
  const auto process = holder.pid ? fmt::format(" (pid {})", *holder.pid) : std::string{};
  switch (holder.type) {
    case Holder::Type::vm:
      return fmt::format("VM {}{}", holder.name, process);
    case Holder::Type::unit:
      return fmt::format("unit {}{}", holder.name, process);
    case Holder::Type::process:
      return fmt::format("process {}{}{}{}", holder.name, process, holder.remark.empty() ? "" : ", ",
                         holder.remark);
  }
  return {};
}

std::shared_ptr<const Usage> usage_of(const HostView& host) {
  const auto inventory = inventory_of(host);
  // Who uses what is nobody's question where there is no GPU.
  return host.once<Usage>([&] {
    return *inventory && !(**inventory).gpus.empty() ? UsageReader(**inventory, host).read() : Usage{};
  });
}

std::shared_ptr<const Result<std::vector<Domain>>> domains_of(const HostView& host,
                                                              const std::string& connection) {
  using Domains = Result<std::vector<Domain>>;
  /// Filled as connections are asked for; a look is one thread's.
  struct Connections {
    mutable std::map<std::string, std::shared_ptr<const Domains>> by_name;
  };
  const auto connections = host.once<Connections>([] { return Connections{}; });
  auto& place = connections->by_name[connection];
  if (!place) place = std::make_shared<const Domains>(host.domains.domains(connection));
  return place;
}

const std::vector<std::string>& DefinedDevices::naming(const std::variant<PciAddress, Uuid>& device) const {
  static const std::vector<std::string> none;
  const auto found = domains.find(device);
  return found == domains.end() ? none : found->second;
}

std::shared_ptr<const DefinedDevices> defined_devices_of(const HostView& host) {
  return host.once<DefinedDevices>([&] {
    DefinedDevices defined;
    const auto domains = domains_of(host, system_connection);
    if (!*domains) {
      defined.unknown = domains->error();
      return defined;
    }
    for (const auto& domain : **domains)
      if (const auto xml = read_domain_xml(domain.definition))
        for (const auto& device : xml->host_devices) defined.domains[device.device].push_back(domain.name);
    return defined;
  });
}

}  // namespace gpuhost
