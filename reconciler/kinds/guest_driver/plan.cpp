#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/releases.hpp"
#include "kinds/guest_driver/kind.hpp"

namespace gpuhost {

namespace {

using Releases = std::vector<const catalog::Release*>;

std::string address_of(const GuestDriverWish& wish) {
  return fmt::format("vm[{}].guestDriver", wish.vm);
}

std::string wanted_text(const GuestDriverSpec& spec) {
  return spec.release ? **spec.release : **spec.version;
}

Releases releases_of(const GuestDriverSpec& spec) {
  if (!spec.release) return catalog::releases_of_guest(**spec.version);
  const auto* release = catalog::find_release(**spec.release);
  return release == nullptr ? Releases{} : Releases{release};
}

std::string names_of(const Releases& releases) {
  std::vector<std::string> names;
  for (const auto* release : releases) names.emplace_back(release->name);
  return join(names, " or ");
}

/// Nothing: they go together.
std::optional<Note> conflict_of(const GuestDriverWish& wish, const Releases& hosts) {
  const auto guests = releases_of(wish.spec);
  if (guests.empty())
    return Note{Note::Severity::warning, address_of(wish),
                fmt::format("no release with the guest driver {} is known: whether it goes with the host's "
                            "cannot be told",
                            wanted_text(wish.spec)),
                "gpuhost catalog releases lists those that are known"};
  const bool together = std::ranges::any_of(hosts, [&](const auto* host) {
    return std::ranges::any_of(guests, [&](const auto* guest) { return catalog::accepts(*host, *guest); });
  });
  if (together) return std::nullopt;
  std::vector<std::string> taken;
  for (const auto major : catalog::branch_of(*hosts.front()).guests) taken.push_back(std::to_string(major));
  return Note{
      Note::Severity::error, address_of(wish),
      fmt::format("the guest driver of release {} does not go with the host's, which is of {}: its vGPU "
                  "would not start",
                  names_of(guests), names_of(hosts)),
      fmt::format("the host's takes guest drivers of {}", join(taken, ", "))};
}

std::optional<Note> unknown_host(const GuestDriverWish& wish, const std::string& version,
                                 const GuestDriverState& state) {
  auto why = version.empty() ? "the host's driver is unknown: " + state.manager.reason()
                             : fmt::format("no release with the vGPU manager {} is known", version);
  return Note{Note::Severity::warning, address_of(wish),
              std::move(why) + ": whether the guest's driver goes with it cannot be told"};
}

bool is_wanted(const GuestDriverSpec& spec, const std::string& version) {
  if (spec.version && **spec.version != version) return false;
  return !spec.release || std::ranges::any_of(catalog::releases_of_guest(version), [&](const auto* release) {
    return release->name == **spec.release;
  });
}

/// What counts: of a guest that runs the driver that is loaded, else the one that the next start loads.
Finding finding_of(const GuestDriverWish& wish, const GuestSeen& seen) {
  Finding finding{
      .address = address_of(wish), .verdict = Finding::Verdict::unknown, .desired = wanted_text(wish.spec)};
  if (!seen.report) {
    finding.reason = seen.report.is_unknown()
                         ? seen.report.reason()
                         : "the guest was not asked yet: 'gpuhost observe --guests' asks "
                           "its agent while it runs";
    return finding;
  }
  const auto& report = *seen.report;
  const auto& version = seen.running ? report.loaded : report.installed;
  const auto when = fmt::format("as its agent said at {}", report.asked);
  if (version.is_unknown()) {
    finding.reason = fmt::format("{}, {}", version.reason(), when);
    return finding;
  }
  const bool in_sync = version && is_wanted(wish.spec, *version);
  finding.verdict = in_sync ? Finding::Verdict::in_sync : Finding::Verdict::differs;
  finding.observed = version ? Json(*version) : Json();
  finding.reason = when;
  if (seen.running && report.installed && report.installed != report.loaded)
    finding.reason += fmt::format("; {} is installed and loaded when the guest restarts", *report.installed);
  return finding;
}

Note advice_of(const Finding& finding) {
  return {Note::Severity::warning, finding.address,
          fmt::format("the guest has {}, {}",
                      finding.observed.is_null() ? "no NVIDIA driver loaded"
                                                 : "driver " + finding.observed.get<std::string>(),
                      finding.reason),
          "install the other one in the guest, then ask again with gpuhost observe --guests"};
}

}  // namespace

Proposal GuestDriver::plan_from(const GuestDriverState& state, const PlanInput&) const {
  Proposal proposal;
  for (std::size_t i = 0; i < wishes_.size(); ++i) {
    const auto& wish = wishes_[i];
    const GuestSeen unseen{.report = Observed<GuestReport>::unknown("no guest runs under --root")};
    proposal.findings.push_back(finding_of(wish, state.running ? state.guests[i] : unseen));
    const auto& finding = proposal.findings.back();
    if (finding.verdict == Finding::Verdict::differs) proposal.notes.push_back(advice_of(finding));
    if (!wish.has_vgpus) continue;
    const auto version = !host_version_.empty() ? host_version_ : state.manager ? *state.manager : "";
    if (version.empty() && !state.manager.is_unknown()) continue;  // no manager: the guest has a GPU whole
    const auto hosts = catalog::releases_of_manager(version);
    auto note = hosts.empty() ? unknown_host(wish, version, state) : conflict_of(wish, hosts);
    if (note) proposal.notes.push_back(*std::move(note));
  }
  return proposal;
}

}  // namespace gpuhost
