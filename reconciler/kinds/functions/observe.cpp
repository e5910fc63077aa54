#include <algorithm>

#include <fmt/format.h>

#include "inventory/gpu_reports.hpp"
#include "inventory/pci.hpp"
#include "kinds/functions/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

constexpr const char* enabled_state = "with its virtual functions";
constexpr const char* disabled_state = "without virtual functions";

bool is_there(const FileReader& files, const std::string& path) {
  return files.exists(path).value_or(false);
}

/// The GPU that such a fact is about.
std::optional<PciAddress> gpu_in(const Fact& fact) {
  constexpr std::string_view prefix = "gpu/";
  if (fact.state != enabled_state && fact.state != disabled_state) return std::nullopt;
  if (!fact.subject.starts_with(prefix)) return std::nullopt;
  return PciAddress::parse(std::string_view(fact.subject).substr(prefix.size()));
}

std::set<PciAddress> gpus_with_mixed_sizes(const HostView& host) {
  std::set<PciAddress> mixed;
  const auto reports = gpu_reports_of(host);
  if (*reports)
    for (const auto& [address, report] : **reports)
      if (report.mixed_sizes && *report.mixed_sizes) mixed.insert(address);
  return mixed;
}

/// The driver loses instances with its hold on the GPU, which it gives up for a moment when functions are
/// switched. Unknown instances may be there.
std::map<PciAddress, Mig> gpus_with_instances(const HostView& host) {
  std::map<PciAddress, Mig> found;
  const auto reports = gpu_reports_of(host);
  if (!*reports) return found;
  for (const auto& [gpu, report] : **reports)
    if (report.mig && report.mig->mode.current && (!report.mig->instances || !report.mig->instances->empty()))
      found.emplace(gpu, *report.mig);
  return found;
}

std::set<PciAddress> without_address_space(const FileReader& files, const Inventory& inventory) {
  std::set<PciAddress> found;
  for (const auto& gpu : inventory.gpus)
    if (read_sriov_support(files, gpu).lacks_address_space()) found.insert(gpu.address);
  return found;
}

}  // namespace

std::unique_ptr<Kind> make_functions(std::vector<ForGpus<FunctionsWish>> wishes) {
  return std::make_unique<Functions>(std::move(wishes));
}

bool has_sriov(const Gpu& gpu) {
  return gpu.total_functions && *gpu.total_functions > 0;
}

VgpuInterfaces vgpu_interfaces_of(const Gpu& gpu, const HostView& host) {
  VgpuInterfaces interfaces;
  for (const auto& function : gpu.functions)
    if (function.framework != VgpuFramework::none) interfaces.functions.insert(function.address);
  const auto loaded = host.modules.loaded();
  interfaces.expected = !interfaces.functions.empty() || (loaded && loaded->contains("nvidia_vgpu_vfio"));
  return interfaces;
}

std::vector<std::string> lacks_of(const Gpu& gpu, const VgpuInterfaces& interfaces) {
  std::vector<std::string> lacks;
  const auto total = has_sriov(gpu) ? *gpu.total_functions : 0;
  if (gpu.functions.size() < total)
    lacks.push_back(fmt::format("{} of {} virtual functions are there", gpu.functions.size(), total));
  for (const auto& function : gpu.functions) {
    const auto address = function.address.to_string();
    if (function.driver != gpu_facts::nvidia_driver)
      lacks.push_back(fmt::format("virtual function {} is bound to {} in place of nvidia", address,
                                  function.driver.empty() ? "nothing" : function.driver));
    else if (interfaces.expected && !interfaces.functions.contains(function.address))
      lacks.push_back(fmt::format("virtual function {} has no vGPU types", address));
  }
  return lacks;
}

FunctionsState Functions::look(const HostView& host) const {
  FunctionsState state{.running = host.running, .inventory = inventory_of(host)};
  if (!host.running || !*state.inventory) return state;
  for (const auto& gpu : (**state.inventory).gpus)
    if (has_sriov(gpu)) state.lacks.emplace(gpu.address, lacks_of(gpu, vgpu_interfaces_of(gpu, host)));
  if (wishes_.empty() && !is_owned_of_some_gpu(host.files, field)) return state;
  state.usage = usage_of(host);
  state.with_instances = gpus_with_instances(host);
  state.with_mixed_sizes = gpus_with_mixed_sizes(host);
  state.tool_there = host.files.exists(sriov_manage);
  state.nvidia_there = is_there(host.files, "/sys/bus/pci/drivers/nvidia");
  state.without_bars = without_address_space(host.files, **state.inventory);
  return state;
}

const char* FunctionsState::word_of(const Gpu& gpu) const {
  if (gpu.functions.empty()) return "disabled";
  const auto found = lacks.find(gpu.address);
  return found != lacks.end() && found->second.empty() ? "enabled" : "incomplete";
}

Json FunctionsState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  const auto* seen = gpus_or_none(*inventory);
  if (seen == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : seen->gpus) {
    if (gpu.total_functions.is_absent()) continue;
    auto& entry = shown[gpu.address.to_string()];
    entry = {{"state", word_of(gpu)}, {"present", gpu.functions.size()}};
    entry["total"] =
        gpu.total_functions ? Json(*gpu.total_functions) : Json{{"unknown", gpu.total_functions.reason()}};
    if (const auto found = lacks.find(gpu.address); !gpu.functions.empty() && found != lacks.end())
      entry["lacks"] = found->second;
  }
  return shown;
}

std::optional<Truth> Functions::holds_in(const Fact& fact, const FunctionsState& state) const {
  if (fact == gpu_facts::sriov_manage_there())
    return state.tool_there ? Truth::of(*state.tool_there) : Truth::unknown(state.tool_there.error().message);
  const auto address = gpu_in(fact);
  if (!address) return std::nullopt;
  if (!state.running) return Truth::unknown("no kernel runs under --root");
  const auto* seen = gpus_or_none(*state.inventory);
  if (seen == nullptr) return Truth::unknown(state.inventory->error().message);
  const auto* gpu = seen->find(*address);
  if (gpu == nullptr) return Truth::of(false);
  if (gpu->unreadable) return Truth::unknown(gpu->unreadable->message);
  return Truth::of(std::string_view(state.word_of(*gpu)) ==
                   (fact.state == enabled_state ? "enabled" : "disabled"));
}

std::string Functions::advice(const Fact& fact) const {
  if (!gpu_in(fact)) return {};
  return fmt::format("set functions: {} in the GPU's entry",
                     fact.state == enabled_state ? "enabled" : "disabled");
}

}  // namespace gpuhost
