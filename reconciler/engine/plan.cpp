#include "engine/plan.hpp"

#include <algorithm>

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace gpuhost {

namespace {

std::string first_line(const FileReader& files, const std::string& path) {
  const auto text = files.read(path);
  return text ? std::string(trim(*text)) : std::string();
}

}  // namespace

HostIdentity HostIdentity::read(const FileReader& files) {
  HostIdentity host;
  host.name = first_line(files, "/proc/sys/kernel/hostname");
  if (host.name.empty()) host.name = first_line(files, "/etc/hostname");
  host.machine_id = first_line(files, "/etc/machine-id");
  host.kernel = first_line(files, "/proc/sys/kernel/osrelease");
  host.boot_id = first_line(files, "/proc/sys/kernel/random/boot_id");
  return host;
}

bool Plan::applyable() const {
  return std::ranges::all_of(steps,
                             [](const PlannedStep& planned) { return planned.step.blocked_by.empty(); }) &&
         std::ranges::none_of(notes, [](const Note& note) { return note.severity == Note::Severity::error; });
}

bool Plan::empty() const {
  return steps.empty() && !reboot_required();
}

bool Plan::reboot_required() const {
  return std::ranges::any_of(phases, [](const Phase& phase) { return phase.reboot_after; });
}

std::vector<std::string> Plan::against_reboot() const {
  std::vector<std::string> reasons;
  for (const auto& note : notes)
    if (note.address == reboot_address) reasons.push_back(note.message);
  return reasons;
}

Disruption Plan::most_disruption() const {
  auto most = Disruption::none;
  for (const auto& planned : steps) most = std::max(most, planned.step.disruption);
  return most;
}

bool Plan::degraded() const {
  return std::ranges::any_of(conditions,
                             [](const Condition& one) { return one.type == Condition::Type::degraded; });
}

std::string Plan::fingerprint() const {
  Json rests_on = Json::array();
  for (const auto& finding : findings)
    rests_on.push_back({finding.address, to_string(finding.verdict), finding.observed});
  for (const auto& planned : steps) rests_on.push_back({planned.step.action.address, planned.step.before});
  for (const auto& [fact, truth] : facts) rests_on.push_back({fact, truth});
  return sha256(rests_on.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace gpuhost
