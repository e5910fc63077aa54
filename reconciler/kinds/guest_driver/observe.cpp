#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "inventory/holders.hpp"
#include "kinds/guest_driver/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

std::unique_ptr<Kind> make_guest_driver(std::vector<GuestDriverWish> wishes, std::string host_version) {
  return std::make_unique<GuestDriver>(std::move(wishes), std::move(host_version));
}

namespace {

GuestSeen look_at(const GuestDriverWish& wish, const Result<GuestReports>& reports, const HostView& host) {
  GuestSeen seen;
  const auto domains = domains_of(host, wish.connection);
  if (!*domains || !reports) {
    const auto& error = reports ? domains->error() : reports.error();
    seen.report = Observed<GuestReport>::unknown(error.message);
    return seen;
  }
  const auto domain = std::ranges::find(**domains, wish.vm, &Domain::name);
  if (domain == (**domains).end()) return seen;
  seen.running = domain->running;
  const auto report = std::ranges::find_if(*reports, [&](const GuestReport& one) {
    return one.connection == wish.connection && one.name == wish.vm && one.uuid == domain->uuid;
  });
  if (report != reports->end()) seen.report = *report;
  return seen;
}

}  // namespace

GuestDriverState GuestDriver::look(const HostView& host) const {
  GuestDriverState state{.running = host.running, .guests = {}, .reports = GuestReports{}, .manager = {}};
  if (!host.running) return state;
  state.reports = guest_reports::load(host.files);
  for (const auto& wish : wishes_) state.guests.push_back(look_at(wish, state.reports, host));
  if (wishes_.empty()) return state;
  auto manager = host.files.read("/sys/module/nvidia_vgpu_vfio/version");
  state.manager = manager ? Observed<std::string>(std::string(trim(*manager)))
                          : Observed<std::string>::from(std::move(manager));
  return state;
}

Json GuestDriverState::describe() const {
  if (!reports) return unknown_json(reports.error());
  Json shown = Json::array();
  for (const auto& report : *reports) shown.push_back(report.to_json());
  return shown;
}

}  // namespace gpuhost
