#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "catalog/boards.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vgpu/gpu_case.hpp"
#include "kinds/vgpu/kind.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view object_prefix = "vgpu[";

/// Looks at what one document is about; with nothing desired, at all there is.
class Look {
 public:
  Look(const std::vector<ForGpus<VgpuSpec>>& entries, const HostView& host, VgpuState& state)
      : entries_(entries), host_(host), state_(state) {}

  void look() {
    state_.space = identity_space(host_.files);
    state_.has_bus = host_.files.exists("/sys/class/mdev_bus");
    state_.by_vendor_framework =
        catalog::has_vendor_functions(host_.files.read("/proc/sys/kernel/osrelease").value_or(""));
    state_.has_manager = host_.files.exists("/sys/module/nvidia_vgpu_vfio");
    if (const auto owned = Ownership::load(host_.files)) owned_ = owned->addresses();
    if (entries_.empty())
      for (const auto& gpu : state_.gpus()->gpus) read_types(gpu, [](std::string_view) { return true; });
    for (const auto& entry : entries_) look_at(entry);
    // Of the others only whether they have vGPUs, which other kinds ask.
    for (const auto& gpu : state_.gpus()->gpus) read_types(gpu, [](std::string_view) { return false; });
    state_.mdevctl_starts = read_mdevctl_starts(host_.files, [&](const PciAddress& parent) {
      const auto* gpu = state_.gpus()->owner_of(parent);
      return gpu != nullptr && listed_.contains(gpu->address);
    });
    look_at_guests();
  }

 private:
  void look_at(const ForGpus<VgpuSpec>& entry) {
    const auto is_wanted = [&](std::string_view type) {
      return entry.spec.vgpus && std::ranges::any_of(**entry.spec.vgpus, [&](const auto& vgpus) {
               return catalog::same_type(vgpus.type, type);
             });
    };
    for (const auto& selected : select_gpus(entry.entry, *state_.gpus()).gpus) {
      read_types(*selected.gpu, is_wanted);
      if (!lists_vgpus(entry)) continue;
      listed_.insert(selected.gpu->address);
      if (!state_.space) continue;
      for (const auto& vgpu : wanted_vgpus(entry.spec, selected.name, *state_.space))
        if (!vgpu.spec->params.empty() || owned_.contains(vgpu_object(vgpu.uuid)))
          state_.with_params.insert(vgpu.uuid);
    }
  }

  void read_types(const Gpu& gpu, const std::function<bool(std::string_view)>& asked) {
    if (!state_.types.contains(gpu.address))
      state_.types.emplace(gpu.address, read_supported_types(host_.files, gpu, asked));
  }

  void read_params(const Uuid& uuid) {
    const auto text = host_.files.read(vgpu_params_path(uuid));
    state_.params.emplace(uuid, text ? Result<VgpuParams>(parse_vgpu_params(*text))
                                     : Result<VgpuParams>(std::unexpected(text.error())));
  }

  void look_at_guests() {
    const auto has_vgpus = [](const Gpu& gpu) { return !gpu.mediated_devices.empty(); };
    if (std::ranges::none_of(state_.gpus()->gpus, has_vgpus)) return;
    for (const auto& gpu : state_.gpus()->gpus)
      for (const auto& vgpu : gpu.mediated_devices) read_params(vgpu.uuid);
    state_.usage = usage_of(host_);
    state_.defined = defined_devices_of(host_);
  }

  const std::vector<ForGpus<VgpuSpec>>& entries_;
  const HostView& host_;
  VgpuState& state_;
  std::set<std::string> owned_;
  std::set<PciAddress> listed_;
};

Json json_of(const VgpuState& state, const Gpu& gpu, const MediatedDevice& vgpu) {
  Json shown{{"type", vgpu.type}, {"parent", vgpu.parent.to_string()}};
  if (const auto* function = gpu.function_at(vgpu.parent)) shown["function"] = function->index;
  for (const auto& holder : state.holders(vgpu)) shown["holders"].push_back(sentence_of(holder));
  if (state.defined && !state.defined->naming(vgpu.uuid).empty())
    shown["defined_in"] = state.defined->naming(vgpu.uuid);
  return shown;
}

Json json_of(const SupportedTypes& supported) {
  if (supported.unknown) return unknown_json(*supported.unknown);
  Json types = Json::object();
  for (const auto& [id, type] : supported.types) {
    auto& shown = types[type.name] = {{"id", id}};
    if (type.framebuffer_mb) shown["framebuffer_mb"] = *type.framebuffer_mb;
    if (type.max) shown["max"] = *type.max;
    unsigned available = 0;
    for (const auto& [parent, of_types] : supported.available)
      if (const auto found = of_types.find(id); found != of_types.end()) available += found->second;
    shown["available"] = available;
  }
  return types;
}

Json json_of(VgpuFramework framework) {
  switch (framework) {
    case VgpuFramework::none:
      return nullptr;
    case VgpuFramework::mediated:
      return "mediated devices";
    case VgpuFramework::vendor_specific:
      return "vendor-specific VFIO";
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Kind> make_vgpu(std::vector<ForGpus<VgpuSpec>> entries) {
  return std::make_unique<Vgpu>(std::move(entries));
}

std::string vgpu_object(const Uuid& uuid) {
  return fmt::format("{}{}]", object_prefix, uuid.to_string());
}

std::optional<Uuid> vgpu_of_object(std::string_view object) {
  if (!object.starts_with(object_prefix) || !object.ends_with(']')) return std::nullopt;
  object.remove_prefix(object_prefix.size());
  object.remove_suffix(1);
  return Uuid::parse(object);
}

VgpuState Vgpu::look(const HostView& host) const {
  VgpuState state{.running = host.running};
  if (!host.running) return state;
  state.inventory = inventory_of(host);
  if (state.gpus() != nullptr && !state.gpus()->gpus.empty()) Look(entries_, host, state).look();
  return state;
}

Json VgpuState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  if (!*inventory)
    return inventory->error().kind == ErrorKind::not_found ? Json::object()
                                                           : unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : gpus()->gpus) {
    auto& of_gpu = shown[gpu.address.to_string()] = {{"vgpus", Json::object()}};
    for (const auto& vgpu : gpu.mediated_devices)
      of_gpu["vgpus"][vgpu.uuid.to_string()] = json_of(*this, gpu, vgpu);
    const auto supported = types.find(gpu.address);
    if (supported == types.end()) continue;
    of_gpu["framework"] = json_of(supported->second.framework);
    of_gpu["types"] = json_of(supported->second);
  }
  return shown;
}

std::optional<Truth> Vgpu::holds_in(const Fact& fact, const VgpuState& state) const {
  constexpr std::string_view vgpu_prefix = "vgpu/";
  constexpr std::string_view gpu_prefix = "gpu/";
  const std::string_view subject = fact.subject;
  const bool of_vgpu =
      subject.starts_with(vgpu_prefix) && (fact.state == "present" || fact.state == "absent");
  const bool of_gpu = subject.starts_with(gpu_prefix) && fact.state == "without vgpus";
  if (!of_vgpu && !of_gpu) return std::nullopt;
  if (state.gpus() == nullptr)
    return Truth::unknown(state.running ? state.inventory->error().message : "no kernel runs under --root");
  if (of_vgpu) {
    const auto uuid = Uuid::parse(subject.substr(vgpu_prefix.size()));
    return Truth::of((uuid && state.gpus()->find(*uuid) != nullptr) == (fact.state == "present"));
  }
  const auto address = PciAddress::parse(subject.substr(gpu_prefix.size()));
  const auto* gpu = address ? state.gpus()->find(*address) : nullptr;
  if (gpu == nullptr) return Truth::of(true);
  const auto types = state.types.find(*address);
  if (types != state.types.end() && types->second.unknown)
    return Truth::unknown(types->second.unknown->message);
  return Truth::of(gpu->mediated_devices.empty() &&
                   (types == state.types.end() || types->second.taken.empty()));
}

std::string Vgpu::obstacle_in(const Fact& fact, const VgpuState& state) const {
  if (fact.state != "without vgpus") return {};
  for (const auto& [address, types] : state.types)
    if (fact == gpu_facts::without_vgpus(address) && !types.taken.empty())
      return fmt::format(
          "virtual function {} of GPU {} is a vGPU of the vendor-specific VFIO framework, which this version "
          "cannot remove: write 0 to nvidia/current_vgpu_type of the function",
          types.taken.front().to_string(), address.to_string());
  return {};
}

std::string Vgpu::advice(const Fact& fact) const {
  if (fact.state == "without vgpus")
    return "set vgpus: [] in the entry of the GPU, so that its vGPUs are removed";
  if (fact.state == "present" && fact.subject.starts_with("vgpu/"))
    return "list the vGPU in 'vgpus' of an entry of gpus";
  return {};
}

}  // namespace gpuhost
