#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "inventory/gpu_reports.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/vgpu/gpu_case.hpp"
#include "kinds/vgpu/kind.hpp"
#include "kinds/vgpu/mechanism.hpp"

namespace gpuhost {

namespace {

/// Looks at what one document is about; with nothing desired, at all there is.
class Look {
 public:
  Look(const std::vector<ForGpus<VgpuSpec>>& entries, const HostView& host, VgpuState& state)
      : entries_(entries), host_(host), state_(state) {}

  void look() {
    state_.space = identity_space(host_.files);
    state_.has_bus = host_.files.exists("/sys/class/mdev_bus");
    state_.vendor_kernel = has_vendor_kernel(host_.files);
    state_.has_manager = host_.files.exists("/sys/module/nvidia_vgpu_vfio");
    owned_ = Ownership::load(host_.files).value_or(Ownership{});
    read_sizes();
    for (const auto& gpu : state_.gpus()->gpus) look_for_vgpus(gpu);
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
  void read_sizes() {
    const auto reports = gpu_reports_of(host_);
    if (!*reports) return;
    for (const auto& [gpu, report] : **reports)
      if (report.mixed_sizes) state_.mixed.emplace(gpu, *report.mixed_sizes);
  }

  void look_for_vgpus(const Gpu& gpu) {
    find_vgpus(gpu);
    if (const auto mixed = state_.mixed.find(gpu.address); mixed == state_.mixed.end() || !mixed->second)
      return;
    for (auto& vgpu : state_.vgpus[gpu.address])
      vgpu.placement = read_placement(
          host_.files, vgpu.mediated ? vgpu_params_path(vgpu.uuid) : vgpu_params_path(vgpu.parent));
  }

  void find_vgpus(const Gpu& gpu) {
    auto& there = state_.vgpus[gpu.address];
    for (const auto& vgpu : gpu.mediated_devices)
      there.push_back({vgpu.uuid, vgpu.parent, vgpu.type, true, vgpu.gpu_instance});
    if (std::ranges::none_of(gpu.functions, [](const auto& one) { return one.vgpu_type != 0; })) return;
    const auto names = vgpu_type_names(host_, gpu);
    const auto wanted = wanted_on(gpu);
    const auto records = records_on(gpu);
    for (const auto& function : gpu.functions) {
      if (function.vgpu_type == 0) continue;
      const auto name = names.find(function.vgpu_type);
      PresentVgpu vgpu{.uuid = {},
                       .parent = function.address,
                       .type = name == names.end() ? std::string{} : name->second,
                       .mediated = false,
                       .gpu_instance = function.gpu_instance};
      vgpu.uuid = identity_of(function, vgpu.type, wanted, records);
      there.push_back(std::move(vgpu));
    }
  }

  /// By UUID, with the function.
  struct RecordHere {
    Uuid uuid;
    unsigned function = 0;
    std::string type;
  };
  [[nodiscard]] std::vector<RecordHere> records_on(const Gpu& gpu) const {
    std::vector<RecordHere> records;
    for (const auto& document : owned_.documents())
      for (const auto& [object, owned] : owned_.of(document))
        if (const auto uuid = vgpu_of_object(object))
          if (const auto record = vgpu_record(owned); record.function && is_identity_of(record.gpu, gpu))
            records.push_back({*uuid, *record.function, record.type});
    return records;
  }

  /// A function says nothing of who made it a vGPU. It is one of the document that is on record there, or
  /// that the document wants just there; else whatever is on record there.
  [[nodiscard]] Uuid identity_of(const VirtualFunction& function, const std::string& type,
                                 const std::vector<WantedVgpu>& wanted,
                                 const std::vector<RecordHere>& records) const {
    const auto is_wanted = [&](const RecordHere& one) {
      return std::ranges::find(wanted, one.uuid, &WantedVgpu::uuid) != wanted.end();
    };
    const auto is_it = [&](const RecordHere& one) {
      return one.function == function.index && (type.empty() || catalog::same_type(one.type, type));
    };
    const auto has_record = [&](const WantedVgpu& vgpu) {
      return std::ranges::find(records, vgpu.uuid, &RecordHere::uuid) != records.end();
    };
    for (const auto& one : records)
      if (is_it(one) && is_wanted(one)) return one.uuid;
    for (const auto& vgpu : wanted)
      if (vgpu.function == function.index && !has_record(vgpu)) return vgpu.uuid;
    for (const auto& one : records)
      if (is_it(one)) return one.uuid;
    return Uuid::from_name(state_.space.value_or(Uuid{}), function.address.to_string());
  }

  [[nodiscard]] std::vector<WantedVgpu> wanted_on(const Gpu& gpu) const {
    std::vector<WantedVgpu> wanted;
    if (!state_.space) return wanted;
    for (const auto& entry : entries_)
      for (const auto& selected : select_gpus(entry.entry, *state_.gpus()).gpus)
        if (selected.gpu == &gpu)
          std::ranges::move(wanted_vgpus(entry.spec, selected.name, *state_.space),
                            std::back_inserter(wanted));
    return wanted;
  }

  void look_at(const ForGpus<VgpuSpec>& entry) {
    const auto is_wanted = [&](std::string_view type) {
      return entry.spec.vgpus && std::ranges::any_of(**entry.spec.vgpus, [&](const auto& vgpus) {
               return catalog::same_type(vgpus.type, type);
             });
    };
    for (const auto& selected : select_gpus(entry.entry, *state_.gpus()).gpus) {
      read_mig(*selected.gpu);
      read_types(*selected.gpu, is_wanted);
      if (!lists_vgpus(entry)) continue;
      listed_.insert(selected.gpu->address);
      if (!state_.space) continue;
      for (const auto& vgpu : wanted_vgpus(entry.spec, selected.name, *state_.space))
        if (!vgpu.spec->params.empty() || find_vgpu_record(owned_, vgpu.uuid))
          state_.with_params.insert(vgpu.uuid);
    }
  }

  void read_types(const Gpu& gpu, const std::function<bool(std::string_view)>& asked) {
    if (!state_.types.contains(gpu.address))
      state_.types.emplace(gpu.address, read_supported_types(host_.files, gpu, asked));
  }

  void read_mig(const Gpu& gpu) {
    const auto reports = gpu_reports_of(host_);
    if (!*reports) return;
    const auto report = (**reports).find(gpu.address);
    if (report != (**reports).end() && report->second.mig)
      state_.mig.emplace(gpu.address, *report->second.mig);
  }

  void read_params(const PresentVgpu& vgpu) {
    const auto text =
        host_.files.read(vgpu.mediated ? vgpu_params_path(vgpu.uuid) : vgpu_params_path(vgpu.parent));
    state_.params.emplace(vgpu.uuid, text ? Result<VgpuParams>(parse_vgpu_params(*text))
                                          : Result<VgpuParams>(std::unexpected(text.error())));
  }

  void look_at_guests() {
    if (std::ranges::none_of(state_.gpus()->gpus, &Gpu::has_vgpus)) return;
    for (const auto& [gpu, vgpus] : state_.vgpus)
      for (const auto& vgpu : vgpus) read_params(vgpu);
    state_.usage = usage_of(host_);
    state_.defined = defined_devices_of(host_);
  }

  const std::vector<ForGpus<VgpuSpec>>& entries_;
  const HostView& host_;
  VgpuState& state_;
  Ownership owned_;
  std::set<PciAddress> listed_;
};

Json json_of(const VgpuState& state, const Gpu& gpu, const PresentVgpu& vgpu) {
  Json shown{{"type", vgpu.type}, {"parent", vgpu.parent.to_string()}};
  if (const auto* function = gpu.function_at(vgpu.parent)) shown["function"] = function->index;
  if (vgpu.gpu_instance) shown["gpu_instance"] = *vgpu.gpu_instance;
  if (vgpu.placement) shown["placement"] = *vgpu.placement;
  for (const auto& holder : state.holders(vgpu)) shown["holders"].push_back(sentence_of(holder));
  if (!state.domains_with(vgpu).empty()) shown["defined_in"] = state.domains_with(vgpu);
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

const std::vector<PresentVgpu>& VgpuState::on(const PciAddress& gpu) const {
  static const std::vector<PresentVgpu> none;
  const auto found = vgpus.find(gpu);
  return found == vgpus.end() ? none : found->second;
}

const PresentVgpu* VgpuState::find(const Uuid& uuid) const {
  for (const auto& [gpu, there] : vgpus)
    if (const auto found = std::ranges::find(there, uuid, &PresentVgpu::uuid); found != there.end())
      return &*found;
  return nullptr;
}

const Gpu* VgpuState::owner_of(const Uuid& uuid) const {
  const auto* vgpu = find(uuid);
  return vgpu == nullptr ? nullptr : gpus()->owner_of(vgpu->parent);
}

std::vector<Holder> VgpuState::holders(const PresentVgpu& vgpu) const {
  if (!usage) return {};
  if (vgpu.mediated)
    return usage->of(MediatedDevice{.uuid = vgpu.uuid, .parent = {}, .type_id = {}, .type = {}});
  return usage->of(VirtualFunction{.index = 0, .address = vgpu.parent, .driver = {}, .iommu_group = {}});
}

const std::vector<std::string>& VgpuState::domains_with(const PresentVgpu& vgpu) const {
  static const std::vector<std::string> none;
  if (!defined) return none;
  return vgpu.mediated ? defined->naming(vgpu.uuid) : defined->naming(vgpu.parent);
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
    for (const auto& vgpu : on(gpu.address)) of_gpu["vgpus"][vgpu.shown()] = json_of(*this, gpu, vgpu);
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
  constexpr std::string_view unused_prefix = "without vgpus on GPU instance ";
  const std::string_view subject = fact.subject;
  const bool of_vgpu =
      subject.starts_with(vgpu_prefix) && (fact.state == "present" || fact.state == "absent");
  const bool of_instance = fact.state.starts_with(unused_prefix);
  const bool of_gpu = subject.starts_with(gpu_prefix) && (fact.state == "without vgpus" || of_instance);
  if (!of_vgpu && !of_gpu) return std::nullopt;
  if (state.gpus() == nullptr)
    return Truth::unknown(state.running ? state.inventory->error().message : "no kernel runs under --root");
  if (of_vgpu) {
    const auto uuid = Uuid::parse(subject.substr(vgpu_prefix.size()));
    return Truth::of((uuid && state.find(*uuid) != nullptr) == (fact.state == "present"));
  }
  const auto address = PciAddress::parse(subject.substr(gpu_prefix.size()));
  const auto* gpu = address ? state.gpus()->find(*address) : nullptr;
  if (gpu == nullptr) return Truth::of(true);
  const auto types = state.types.find(*address);
  if (types != state.types.end() && types->second.unknown)
    return Truth::unknown(types->second.unknown->message);
  if (!of_instance) return Truth::of(!gpu->has_vgpus());
  const auto id = parse_unsigned(std::string_view(fact.state).substr(unused_prefix.size()));
  return Truth::of(std::ranges::none_of(state.on(*address), [&](const PresentVgpu& vgpu) {
    return id && vgpu.gpu_instance == static_cast<unsigned>(*id);
  }));
}

std::string Vgpu::advice(const Fact& fact) const {
  if (fact.state.starts_with("without vgpus"))
    return "set vgpus: [] in the entry of the GPU, so that its vGPUs are removed";
  if (fact.state == "present" && fact.subject.starts_with("vgpu/"))
    return "list the vGPU in 'vgpus' of an entry of gpus";
  return {};
}

}  // namespace gpuhost
