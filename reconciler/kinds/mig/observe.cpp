#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/mig.hpp"
#include "kinds/gpu_fabric.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/mig/kind.hpp"
#include "kinds/mig/layout.hpp"
#include "kinds/mig/steps.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/reported.hpp"

namespace gpuhost {

namespace {

Json json_of(const Mig& mig) {
  Json shown{{"mode", mig.mode.current ? "on" : "off"}};
  if (mig.mode.pending != mig.mode.current) shown["pending"] = mig.mode.pending ? "on" : "off";
  if (mig.instances.is_unknown()) shown["instances"] = {{"unknown", mig.instances.reason()}};
  if (!mig.instances) return shown;
  shown["instances"] = Json::array();
  for (const auto& instance : *mig.instances) {
    Json one{{"instance", instance_text(mig, instance)}};
    if (instance.busy()) one["busy"] = true;
    for (const auto& compute : instance.compute_instances) one["compute"].push_back(compute.placement.size);
    shown["instances"].push_back(std::move(one));
  }
  return shown;
}

constexpr std::string_view with_prefix = "with a GPU instance ";
constexpr std::string_view gone_prefix = "without GPU instance ";

/// The GPU that a fact of this kind is about.
std::optional<PciAddress> gpu_in(const Fact& fact) {
  constexpr std::string_view prefix = "gpu/";
  if (!fact.subject.starts_with(prefix)) return std::nullopt;
  const auto address = PciAddress::parse(std::string_view(fact.subject).substr(prefix.size()));
  if (!address) return std::nullopt;
  const auto own = {gpu_facts::mig_mode(*address, true), gpu_facts::mig_mode(*address, false),
                    gpu_facts::without_instances(*address), gpu_facts::without_volatile_mig(*address)};
  const bool is_own = std::ranges::find(own, fact) != own.end() || fact.state.starts_with(with_prefix) ||
                      fact.state.starts_with(gone_prefix);
  return is_own ? address : std::nullopt;
}

bool has_profile(const Mig& mig, std::string_view name) {
  return std::ranges::any_of(*mig.instances, [&](const GpuInstance& instance) {
    const auto* profile = mig.profiles ? find_profile(*mig.profiles, instance.profile) : nullptr;
    return profile != nullptr && profile->name == name;
  });
}

}  // namespace

std::unique_ptr<Kind> make_mig(std::vector<ForGpus<MigWish>> wishes, Omitted omitted) {
  return std::make_unique<MigLayouts>(std::move(wishes), omitted);
}

MigLayoutsState MigLayouts::look(const HostView& host) const {
  MigLayoutsState state{.running = host.running, .inventory = inventory_of(host)};
  if (!host.running || !*state.inventory || (**state.inventory).gpus.empty()) return state;
  state.reports = gpu_reports_of(host);
  state.usage = usage_of(host);
  if (!wishes_.empty())
    for (const auto& gpu : (**state.inventory).gpus)
      if (auto why = obstacle_of_fabric(gpu, **state.inventory, host); !why.empty())
        state.against_reset.emplace(gpu.address, std::move(why));
  return state;
}

std::optional<Observed<Mig>> MigLayoutsState::mig_of(const Gpu& gpu) const {
  return reported(reports, gpu, &GpuReport::mig);
}

Json MigLayoutsState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  const auto* seen = gpus_or_none(*inventory);
  if (seen == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : seen->gpus) {
    const auto mig = mig_of(gpu);
    if (!mig || mig->is_absent()) continue;
    shown[gpu.address.to_string()] = *mig ? json_of(**mig) : Json{{"unknown", mig->reason()}};
  }
  return shown;
}

std::optional<Truth> MigLayouts::holds_in(const Fact& fact, const MigLayoutsState& state) const {
  const auto address = gpu_in(fact);
  if (!address) return std::nullopt;
  const auto* seen = gpus_or_none(*state.inventory);
  if (seen == nullptr) return Truth::unknown(state.inventory->error().message);
  const auto* gpu = seen->find(*address);
  if (gpu == nullptr) return Truth::of(false);
  const auto mig = state.mig_of(*gpu);
  if (mig && mig->is_unknown()) return Truth::unknown(mig->reason());
  const bool on = mig && *mig && (*mig)->mode.current;
  if (fact == gpu_facts::mig_mode(*address, true) || fact == gpu_facts::mig_mode(*address, false))
    return Truth::of(fact == gpu_facts::mig_mode(*address, on));
  const std::string_view asked = fact.state;
  const bool wants_some = asked.starts_with(with_prefix);
  if (!on) return Truth::of(!wants_some);
  const auto* known = catalog::mig_gpu_of(gpu->device_id);
  if (fact == gpu_facts::without_volatile_mig(*address) && known != nullptr && !known->keeps_mode)
    return Truth::of(false);
  const auto& instances = (*mig)->instances;
  if (instances.is_unknown()) return Truth::unknown(instances.reason());
  if (!instances || instances->empty()) return Truth::of(!wants_some);
  if (wants_some) return Truth::of(has_profile(**mig, asked.substr(with_prefix.size())));
  if (!asked.starts_with(gone_prefix)) return Truth::of(false);
  const auto id = parse_unsigned(asked.substr(gone_prefix.size()));
  return Truth::of(std::ranges::none_of(*instances, [&](const GpuInstance& one) { return id == one.id; }));
}

std::string MigLayouts::advice(const Fact& fact) const {
  const auto address = gpu_in(fact);
  if (!address) return {};
  if (fact == gpu_facts::without_instances(*address)) return "set mig: [] in the GPU's entry first";
  if (fact.state.starts_with(with_prefix))
    return fmt::format("list a {} under mig in the GPU's entry, or set mig: auto",
                       fact.state.substr(with_prefix.size()));
  if (fact.state.starts_with(gone_prefix)) return "take it out of mig in the GPU's entry";
  return fact == gpu_facts::mig_mode(*address, false) ? "set mig: disabled in the GPU's entry"
                                                      : "list instances under mig in the GPU's entry";
}

}  // namespace gpuhost
