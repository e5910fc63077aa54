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

Finding finding_of(const GuestDriverWish& wish) {
  return {.address = address_of(wish),
          .verdict = Finding::Verdict::unknown,
          .desired = wanted_text(wish.spec),
          .reason = "guests are not asked by this version: see what nvidia-smi says in the guest"};
}

}  // namespace

Proposal GuestDriver::plan_from(const GuestDriverState& state, const PlanInput&) const {
  Proposal proposal;
  for (const auto& wish : wishes_) {
    proposal.findings.push_back(finding_of(wish));
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
