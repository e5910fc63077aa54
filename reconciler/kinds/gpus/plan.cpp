#include <map>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_selection.hpp"
#include "kinds/gpus/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

std::string address_of(const GpuEntry& entry) {
  return fmt::format("gpu[{}]", entry.label());
}

/// What an entry asks for is there, as many as it expects.
void compare(const GpuEntry& entry, const Selection& selection, Proposal& proposal) {
  const bool skip = entry.selector->missing == GpuSelector::Missing::skip;
  if (!selection.unknown.empty()) {
    proposal.findings.push_back({.address = address_of(entry) + ".match",
                                 .verdict = Finding::Verdict::unknown,
                                 .desired = entry.selector->to_string(),
                                 .reason = selection.unknown});
    proposal.notes.push_back(
        {Note::Severity::error, address_of(entry), selection.unknown,
         "select it by address, or load NVIDIA's driver once so that its UUID is recorded"});
    return;
  }
  // More than expected is not what `missing` is about.
  const bool too_many = entry.selector->expect && selection.gpus.size() > *entry.selector->expect;
  if (selection.problem.empty()) return;
  if (!skip || too_many) {
    proposal.findings.push_back({.address = address_of(entry) + ".match",
                                 .verdict = Finding::Verdict::differs,
                                 .desired = entry.selector->expect.value_or(1),
                                 .observed = selection.gpus.size(),
                                 .reason = selection.problem});
    proposal.notes.push_back({Note::Severity::error, address_of(entry), selection.problem, selection.advice});
    return;
  }
  proposal.conditions.push_back({Condition::Type::degraded, address_of(entry),
                                 selection.problem + "; left out, as missing: skip says"});
}

/// A reboot ends the guests of others too: those of Proxmox VE and of Kubernetes' pods are seen here only.
void speak_against_reboot(const GpusState& state, Proposal& proposal) {
  if (!state.usage || !*state.inventory) return;
  for (const auto& gpu : (**state.inventory).gpus)
    for (const auto& holder : state.usage->of(gpu))
      if (!holder.remark.empty())
        proposal.against_reboot.push_back(fmt::format("GPU {} is held by {}: stop or migrate it there",
                                                      gpu.address.to_string(), sentence_of(holder)));
}

/// A protection that protects nothing may be a slip.
void note_protected(const Inventory& inventory, const Policy& policy, Proposal& proposal) {
  for (const auto& address : policy.protected_gpus)
    if (inventory.owner_of(address) == nullptr)
      proposal.notes.push_back({Note::Severity::warning, "policy.protect",
                                fmt::format("GPU {} is protected, and there is none", address.to_string()),
                                "correct its address, or take it out"});
}

}  // namespace

Proposal Gpus::plan_from(const GpusState& state, const PlanInput& input) const {
  Proposal proposal;
  speak_against_reboot(state, proposal);
  if (*state.inventory) note_protected(**state.inventory, input.policy, proposal);
  if (entries_.empty()) return proposal;
  if (!state.running) {
    proposal.notes.push_back({Note::Severity::error, "gpus",
                              "no kernel runs under --root: GPUs can only be changed on the running host",
                              "leave out --root"});
    return proposal;
  }
  const auto& inventory = *state.inventory;
  if (!inventory && inventory.error().kind != ErrorKind::not_found) {
    for (const auto& entry : entries_)
      proposal.findings.push_back({.address = address_of(entry) + ".match",
                                   .verdict = Finding::Verdict::unknown,
                                   .desired = entry.selector->to_string(),
                                   .reason = inventory.error().message,
                                   .permission = lacks_permission(inventory.error())});
    return proposal;
  }
  static const Inventory none;
  const auto& there = inventory ? *inventory : none;
  if (there.record_error)
    proposal.notes.push_back(
        {Note::Severity::error, "gpus", there.record_error->message, there.record_error->advice});
  std::map<PciAddress, const GpuEntry*> taken;
  for (const auto& entry : entries_) {
    const auto selection = select_gpus(entry, there);
    compare(entry, selection, proposal);
    for (const auto& selected : selection.gpus)
      if (const auto [other, added] = taken.emplace(selected.gpu->address, &entry); !added)
        proposal.notes.push_back({Note::Severity::error, address_of(entry),
                                  fmt::format("{} is selected by the entry {} too",
                                              selected.gpu->address.to_string(), other->second->label()),
                                  "make one entry of the two, or let their selectors match different GPUs"});
  }
  return proposal;
}

}  // namespace gpuhost
