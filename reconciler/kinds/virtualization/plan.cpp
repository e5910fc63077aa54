#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/virtualization/kind.hpp"

namespace gpuhost {

namespace {

using Running = VirtualizationState::Running;
using FirmwareIommu = VirtualizationState::FirmwareIommu;
using Extension = Processor::Extension;

/// What keeps one part from being usable: facts that another kind may make true, or reasons nobody here can
/// mend.
struct Lack {
  std::vector<Fact> needs;
  std::vector<std::string> blocked_by;
};

Finding unknown(std::string address, const Error& error) {
  return {.address = std::move(address),
          .verdict = Finding::Verdict::unknown,
          .desired = "usable",
          .reason = error.message,
          .permission = lacks_permission(error)};
}

std::string no_extension(const Processor& processor) {
  const auto* what = processor.vendor == "AuthenticAMD" ? "AMD-V (svm)" : "VT-x (vmx)";
  if (!processor.lists_flags) return "the processor names no x86 flags: gpuhost knows VT-x and AMD-V only";
  if (processor.under_hypervisor)
    return fmt::format(
        "this host is itself a virtual machine and sees no {}: turn on nested virtualization there", what);
  return fmt::format(
      "the processor shows no {}: turn it on in the firmware; if it is on, the processor lacks it", what);
}

Lack what_kvm_lacks(const Processor& processor, bool module) {
  if (processor.extension == Extension::none) return {{}, {no_extension(processor)}};
  const bool intel = processor.extension == Extension::intel_vt_x;
  const auto* name = intel ? "kvm_intel" : "kvm_amd";
  if (!module) return {{{fmt::format("module/{}", name), "loaded"}}, {}};
  return {{},
          {fmt::format(
              "module {} is there and /dev/kvm is not: see the kernel log for 'kvm:'; mostly the firmware "
              "has it locked off",
              name)}};
}

/// The last value of a key on the running command line.
std::string running_value(std::string_view command_line, std::string_view key) {
  std::string found;
  for (const auto& argument : parse_kernel_arguments(command_line))
    if (underscored(argument.key) == key) found = argument.value.value_or("");
  return found;
}

Lack what_iommu_lacks(const Running& running) {
  const bool guest = running.processor && running.processor->under_hypervisor;
  if (!running.iommu.firmware)
    return {{},
            {"the IOMMU is not active, and whether the firmware offers one cannot be told: " +
             running.iommu.firmware.error().message}};
  const auto firmware = *running.iommu.firmware;
  if (firmware == FirmwareIommu::none)
    return {
        {},
        {guest
             ? "this host is itself a virtual machine without IOMMU: give it a virtual IOMMU"
             : "the firmware tells of no IOMMU (no DMAR or IVRS table): turn on VT-d or AMD's IOMMU there"}};
  if (!running.command_line)
    return {{}, {"the IOMMU is not active, and why cannot be told: " + running.command_line.error().message}};
  Lack lack;
  if (running_value(*running.command_line, "iommu") == "off")
    lack.needs.push_back({"kernel_parameter/iommu", "not off"});
  if (firmware == FirmwareIommu::intel && running_value(*running.command_line, "intel_iommu") != "on")
    lack.needs.push_back({"kernel_parameter/intel_iommu", "on"});
  if (firmware == FirmwareIommu::amd && running_value(*running.command_line, "amd_iommu") == "off")
    lack.needs.push_back({"kernel_parameter/amd_iommu", "not off"});
  if (lack.needs.empty())
    lack.blocked_by.push_back(
        fmt::format("the firmware offers an IOMMU, the kernel command line does not turn it off, and it is "
                    "not active: see the "
                    "kernel log for '{}'",
                    firmware == FirmwareIommu::intel ? "DMAR" : "AMD-Vi"));
  return lack;
}

std::string sentence_of(const Lack& lack) {
  std::vector<std::string> parts = lack.blocked_by;
  for (const auto& need : lack.needs) parts.push_back("needs " + need.to_string());
  return join(parts, "; ");
}

/// One part, held against "usable".
Finding finding_of(std::string address, bool usable, const Lack& lack) {
  Finding finding{.address = std::move(address), .desired = "usable", .observed = "usable"};
  if (usable) return finding;
  finding.verdict = Finding::Verdict::differs;
  finding.observed = "missing";
  finding.reason = sentence_of(lack);
  return finding;
}

Step check_step(const std::vector<Lack>& lacks, const std::vector<Finding>& findings) {
  Step step;
  step.action = {std::string(Virtualization::kind_name), "check", "virtualization", Json::object()};
  step.actions = {"check"};
  step.title = "check that KVM and the IOMMU are usable";
  step.progress = "checking KVM and the IOMMU";
  step.reversible = Reversible::exact;
  step.check_only = true;
  step.before = step.after = Json::object();
  for (const auto& finding : findings) {
    step.before[finding.address] = finding.observed;
    step.after[finding.address] = finding.desired;
  }
  for (const auto& lack : lacks) {
    step.needs.insert(step.needs.end(), lack.needs.begin(), lack.needs.end());
    step.blocked_by.insert(step.blocked_by.end(), lack.blocked_by.begin(), lack.blocked_by.end());
  }
  return step;
}

/// An unassigned BAR shows only when somebody enables virtual functions: too late to find out.
void note_gpus(const Running& running, std::vector<Note>& notes) {
  if (!running.gpus) return;
  for (const auto& gpu : *running.gpus) {
    const auto address = fmt::format("virtualization.gpus[{}]", gpu.address.to_string());
    if (gpu.lacks_address_space())
      notes.push_back(
          {Note::Severity::warning, address,
           "the firmware gave the BARs of the virtual functions no address space",
           "turn on Above 4G decoding and SR-IOV in the firmware; on some boards the kernel parameter "
           "pci=realloc helps"});
    if (gpu.total_functions && gpu.ari && !*gpu.ari)
      notes.push_back({Note::Severity::warning, address,
                       "the GPU offers SR-IOV but no ARI: its virtual functions may not be addressable",
                       "turn on ARI in the firmware"});
  }
}

}  // namespace

Proposal Virtualization::plan_from(const VirtualizationState& state, const PlanInput&) const {
  Proposal proposal;
  if (!spec_.required) return proposal;
  if (!state.running) {
    proposal.notes.push_back(
        {Note::Severity::info, "virtualization",
         "no kernel runs under --root: virtualization can only be checked on the running host"});
    return proposal;
  }
  const auto& running = *state.running;
  std::vector<Lack> lacks;
  const auto compare = [&](const char* address, bool usable, auto what_lacks) {
    lacks.push_back(usable ? Lack{} : what_lacks());
    proposal.findings.push_back(finding_of(address, usable, lacks.back()));
  };

  // KVM makes its device only where the processor lets it, so that the device proves both.
  if (!running.kvm_device)
    proposal.findings.push_back(unknown("virtualization.kvm", running.kvm_device.error()));
  else if (!*running.kvm_device && !running.processor)
    proposal.findings.push_back(unknown("virtualization.kvm", running.processor.error()));
  else if (!*running.kvm_device && !running.kvm_module)
    proposal.findings.push_back(unknown("virtualization.kvm", running.kvm_module.error()));
  else
    compare("virtualization.kvm", *running.kvm_device,
            [&] { return what_kvm_lacks(*running.processor, *running.kvm_module); });

  if (!running.iommu.units)
    proposal.findings.push_back(unknown("virtualization.iommu", running.iommu.units.error()));
  else
    compare("virtualization.iommu", !running.iommu.units->empty(), [&] { return what_iommu_lacks(running); });

  const auto differs = [](const Finding& finding) { return finding.verdict == Finding::Verdict::differs; };
  if (std::ranges::any_of(proposal.findings, differs)) {
    auto step = check_step(lacks, proposal.findings);
    // Where it is active already, what rests on it need not wait for what else is checked.
    if (differs(proposal.findings.back())) step.provides = {active_iommu()};
    proposal.steps.push_back(std::move(step));
  }
  note_gpus(running, proposal.notes);
  return proposal;
}

}  // namespace gpuhost
