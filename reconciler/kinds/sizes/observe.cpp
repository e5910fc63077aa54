#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/reported.hpp"
#include "kinds/sizes/kind.hpp"

namespace gpuhost {

std::unique_ptr<Kind> make_sizes(std::vector<ForGpus<SizesWish>> wishes) {
  return std::make_unique<Sizes>(std::move(wishes));
}

const char* sizes_word(bool mixed) {
  return mixed ? "mixed" : "equal";
}

SizesState Sizes::look(const HostView& host) const {
  SizesState state{.running = host.running, .inventory = inventory_of(host)};
  if (!host.running || !*state.inventory || (**state.inventory).gpus.empty()) return state;
  state.reports = gpu_reports_of(host);
  state.has_manager = host.files.exists("/sys/module/nvidia_vgpu_vfio").value_or(false);
  return state;
}

std::optional<Observed<bool>> SizesState::mixed_on(const Gpu& gpu) const {
  return reported(reports, gpu, &GpuReport::mixed_sizes);
}

const GpuReport* SizesState::report_of(const Gpu& gpu) const {
  if (reports == nullptr || !*reports) return nullptr;
  const auto found = (**reports).find(gpu.address);
  return found == (**reports).end() ? nullptr : &found->second;
}

Json SizesState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  const auto* seen = gpus_or_none(*inventory);
  if (seen == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : seen->gpus) {
    const auto mixed = mixed_on(gpu);
    if (!mixed || mixed->is_absent()) continue;
    shown[gpu.address.to_string()] = *mixed ? Json(sizes_word(**mixed)) : Json{{"unknown", mixed->reason()}};
  }
  return shown;
}

/// A driver that cannot be asked of any GPU has none with a mode that would be lost.
std::optional<Truth> Sizes::holds_in(const Fact& fact, const SizesState& state) const {
  const auto* inventory = gpus_or_none(*state.inventory);
  if (inventory == nullptr) return std::nullopt;
  for (const auto& gpu : inventory->gpus) {
    const bool asks_mixed = fact == gpu_facts::vgpu_sizes(gpu.address, true);
    if (!asks_mixed && fact != gpu_facts::vgpu_sizes(gpu.address, false) &&
        fact != gpu_facts::without_mixed_sizes(gpu.address))
      continue;
    const auto* report = state.report_of(gpu);
    if (report != nullptr && report->mixed_sizes.is_unknown())
      return Truth::unknown(report->mixed_sizes.reason());
    const bool mixed = report != nullptr && report->mixed_sizes && *report->mixed_sizes;
    return Truth::of(mixed == asks_mixed);
  }
  return std::nullopt;
}

/// What needs mixed sizes is of an entry that says so.
std::string Sizes::advice(const Fact& fact) const {
  const bool is_own = fact.state == gpu_facts::vgpu_sizes({}, false).state ||
                      fact.state == gpu_facts::without_mixed_sizes({}).state;
  return is_own ? "set sizes: equal in the GPU's entry" : std::string{};
}

}  // namespace gpuhost
