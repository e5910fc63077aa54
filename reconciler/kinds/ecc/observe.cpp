#include <fmt/format.h>

#include "catalog/boards.hpp"
#include "host/gpu_reset.hpp"
#include "kinds/ecc/kind.hpp"
#include "kinds/gpu_fabric.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/reported.hpp"

namespace gpuhost {

namespace {

std::string obstacle_to_reset(const Gpu& gpu, const GpuReport& report, const Inventory& inventory,
                              const HostView& host) {
  if (report.mig && report.mig->mode.current) return "a reset would take its MIG instances";
  if (report.mig.is_unknown()) return "whether a reset would take MIG instances cannot be told";
  if (gpu.has_vgpus()) return "vGPUs are on it";
  if (const auto tool = host.files.exists(nvidia_smi); !tool || !*tool)
    return fmt::format("{} is not there", nvidia_smi);
  return obstacle_of_fabric(gpu, inventory, host);
}

}  // namespace

std::unique_ptr<Kind> make_ecc(std::vector<ForGpus<EccWish>> wishes, Omitted omitted) {
  return std::make_unique<Ecc>(std::move(wishes), omitted);
}

Fact ecc_fact(const PciAddress& gpu, bool on) {
  return {gpu_facts::subject(gpu), on ? "with ECC on" : "with ECC off"};
}

EccState Ecc::look(const HostView& host) const {
  EccState state{.running = host.running, .inventory = inventory_of(host)};
  if (!host.running || !*state.inventory || (**state.inventory).gpus.empty()) return state;
  state.reports = gpu_reports_of(host);
  state.usage = usage_of(host);
  if (!*state.reports || (wishes_.empty() && !is_owned_of_some_gpu(host.files, field))) return state;
  for (const auto& gpu : (**state.inventory).gpus) {
    const auto report = (**state.reports).find(gpu.address);
    if (report == (**state.reports).end() || !report->second.ecc) continue;
    if (auto why = obstacle_to_reset(gpu, report->second, **state.inventory, host); !why.empty())
      state.against_reset.emplace(gpu.address, std::move(why));
  }
  return state;
}

std::optional<Observed<GpuSwitch>> EccState::ecc_of(const Gpu& gpu) const {
  return reported(reports, gpu, &GpuReport::ecc);
}

Json EccState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  const auto* seen = gpus_or_none(*inventory);
  if (seen == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : seen->gpus) {
    const auto ecc = ecc_of(gpu);
    if (!ecc || ecc->is_absent()) continue;
    auto& one = shown[gpu.address.to_string()];
    if (ecc->is_unknown())
      one = {{"unknown", ecc->reason()}};
    else
      one["mode"] = (*ecc)->current ? "on" : "off";
    if (*ecc && (*ecc)->pending != (*ecc)->current) one["pending"] = (*ecc)->pending ? "on" : "off";
  }
  return shown;
}

std::optional<Truth> Ecc::holds_in(const Fact& fact, const EccState& state) const {
  const auto* seen = gpus_or_none(*state.inventory);
  if (seen == nullptr) return std::nullopt;
  for (const auto& gpu : seen->gpus) {
    // Steps that put a switch in force provide it; without one nothing is awaited.
    if (fact == gpu_facts::settled(gpu.address)) return Truth::of(true);
    for (const bool on : {true, false}) {
      if (fact != ecc_fact(gpu.address, on)) continue;
      const auto ecc = state.ecc_of(gpu);
      if (ecc && ecc->is_unknown()) return Truth::unknown(ecc->reason());
      return Truth::of(ecc && *ecc && (*ecc)->current == on);
    }
  }
  return std::nullopt;
}

}  // namespace gpuhost
