#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/list_or_none.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/virtualization/kind.hpp"

namespace gpuhost {

namespace {

using State = VirtualizationState;

Result<Processor> look_at_processor(const FileReader& files) {
  const auto text = files.read("/proc/cpuinfo");
  if (!text) return std::unexpected(text.error());
  return parse_cpuinfo(*text);
}

/// A module that is loaded, or built in with parameters, has a directory there; both of KVM's have
/// parameters.
Result<bool> look_at_kvm_module(const FileReader& files) {
  for (const auto* path : {"/sys/module/kvm_intel", "/sys/module/kvm_amd"})
    if (auto there = files.exists(path); !there || *there) return there;
  return false;
}

Result<std::map<std::string, unsigned>> look_at_groups(const FileReader& files) {
  const std::string directory = "/sys/kernel/iommu_groups";
  const auto names = list_or_none(files, directory);
  if (!names) return std::unexpected(names.error());
  std::map<std::string, unsigned> counts;
  for (const auto& name : *names) {
    const auto type = files.read(directory + "/" + name + "/type");
    ++counts[type ? std::string(trim(*type)) : "unknown"];
  }
  return counts;
}

/// DMAR is Intel's table, IVRS AMD's. Source: the tables' specifications, "Intel VT-d" and "AMD IOMMU".
Result<State::FirmwareIommu> look_at_firmware(const FileReader& files) {
  const auto tables = files.list("/sys/firmware/acpi/tables");
  if (!tables) return std::unexpected(tables.error());
  for (const auto& table : *tables) {
    if (table == "DMAR") return State::FirmwareIommu::intel;
    if (table == "IVRS") return State::FirmwareIommu::amd;
  }
  return State::FirmwareIommu::none;
}

Json describe(const Result<Processor>& processor) {
  if (!processor) return unknown_json(processor.error());
  constexpr std::array<const char*, 3> words{"none", "VT-x", "AMD-V"};
  return {{"vendor", processor->vendor},
          {"model", processor->model},
          {"virtualization", words[static_cast<std::size_t>(processor->extension)]},
          {"under_hypervisor", processor->under_hypervisor}};
}

template <class T>
Json describe_plain(const Result<T>& result) {
  return result ? Json(*result) : unknown_json(result.error());
}

Json describe(const State::Iommu& iommu) {
  constexpr std::array<const char*, 3> words{"none", "DMAR (Intel)", "IVRS (AMD)"};
  Json shown{{"units", describe_plain(iommu.units)}, {"groups", describe_plain(iommu.groups)}};
  shown["active"] = iommu.units ? Json(!iommu.units->empty()) : unknown_json(iommu.units.error());
  shown["firmware_table"] = iommu.firmware ? Json(words[static_cast<std::size_t>(*iommu.firmware)])
                                           : unknown_json(iommu.firmware.error());
  return shown;
}

Json describe(const SriovSupport& gpu) {
  const auto value = [](const auto& observed) {
    if (observed.is_unknown()) return Json{{"unknown", observed.reason()}};
    return observed ? Json(*observed) : Json(nullptr);
  };
  Json shown{{"address", gpu.address.to_string()},
             {"sriov_total_vfs", value(gpu.total_functions)},
             {"ari", value(gpu.ari)}};
  if (gpu.function_bars) {
    shown["vf_bars"] = Json::array();
    for (const auto& bar : *gpu.function_bars)
      shown["vf_bars"].push_back({{"bytes", bar.size()}, {"assigned", !bar.unassigned()}});
  }
  return shown;
}

Result<std::vector<SriovSupport>> look_at_gpus(const HostView& host) {
  const auto inventory = inventory_of(host);
  if (!*inventory) return std::unexpected(inventory->error());
  std::vector<SriovSupport> gpus;
  for (const auto& gpu : (**inventory).gpus) gpus.push_back(read_sriov_support(host.files, gpu));
  return gpus;
}

}  // namespace

std::unique_ptr<Kind> make_virtualization(VirtualizationSpec spec) {
  return std::make_unique<Virtualization>(spec);
}

VirtualizationState Virtualization::look(const HostView& host) const {
  if (!host.running) return {};
  const auto& files = host.files;
  return {State::Running{
      .processor = look_at_processor(files),
      .kvm_device = files.exists("/dev/kvm"),
      .kvm_module = look_at_kvm_module(files),
      .iommu = {list_or_none(files, "/sys/class/iommu"), look_at_groups(files), look_at_firmware(files)},
      .command_line = files.read("/proc/cmdline"),
      .gpus = look_at_gpus(host)}};
}

Json VirtualizationState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  Json shown{
      {"processor", gpuhost::describe(running->processor)},
      {"kvm",
       {{"device", describe_plain(running->kvm_device)}, {"module", describe_plain(running->kvm_module)}}},
      {"iommu", gpuhost::describe(running->iommu)},
      {"gpus", Json::array()}};
  if (running->gpus)
    for (const auto& gpu : *running->gpus) shown["gpus"].push_back(gpuhost::describe(gpu));
  else if (running->gpus.error().kind != ErrorKind::not_found)
    shown["gpus"] = unknown_json(running->gpus.error());
  return shown;
}

std::optional<Truth> Virtualization::holds_in(const Fact& fact, const VirtualizationState& state) const {
  if (fact != active_iommu()) return std::nullopt;
  if (!state.running) return Truth::unknown("no kernel runs under --root");
  const auto& units = state.running->iommu.units;
  return units ? Truth::of(!units->empty()) : Truth::unknown(units.error().message);
}

std::string Virtualization::advice(const Fact& fact) const {
  if (fact != active_iommu()) return {};
  return "set virtualization: required, and kernel.parameters where the IOMMU is off";
}

}  // namespace gpuhost
