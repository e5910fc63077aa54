#include "host/sim/sim_domains.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/shown_domain.hpp"
#include "host/sim/sim_guests.hpp"
#include "host/sim/sim_processes.hpp"

namespace gpuhost {

namespace {

constexpr const char* not_running = "Requested operation is not valid: domain is not running";

std::unexpected<Error> cannot(const char* action, const std::string& name, ErrorKind kind,
                              const std::string& why) {
  return fail(kind, fmt::format("cannot {} domain {}: {}", action, name, why));
}

std::unexpected<Error> cannot(const char* action, const std::string& name, Error error) {
  return std::unexpected(std::move(error).within(fmt::format("cannot {} domain {}", action, name)));
}

/// A guest that runs on keeps what it was started with.
void keep_guest(HostFile::Domain& domain, const std::string& definition) {
  if (domain.running || domain.saved) domain.live = live_xml(domain);
  domain.definition = definition;
  if (domain.live == domain.definition) domain.live.reset();
}

void set_live(HostFile::Domain& domain, std::string xml) {
  domain.live = std::move(xml);
  if (domain.live == domain.definition) domain.live.reset();
}

/// The one host device that an element describes.
Result<HostDevice> device_in(const std::string& element) {
  const auto xml =
      read_domain_xml(fmt::format("<domain><name>any</name><devices>{}</devices></domain>", element));
  if (!xml) return std::unexpected(xml.error());
  if (xml->host_devices.size() != 1) {
    return fail(ErrorKind::unsupported, "the simulator knows PCI functions and mediated devices only");
  }
  return xml->host_devices.front();
}

std::vector<HostDevice>::const_iterator find_device(const std::vector<HostDevice>& devices,
                                                    const HostDevice& wanted) {
  return std::ranges::find(devices, wanted.device, &HostDevice::device);
}

}  // namespace

Result<const SimDomains::Domains*> SimDomains::reach(const std::string& connection) const {
  const auto found = host_.domains.find(connection);
  if (found == host_.domains.end() || !libvirt_runs(host_)) {
    return fail(ErrorKind::unavailable,
                fmt::format("cannot connect to libvirt at {}: Failed to connect socket to "
                            "'/var/run/libvirt/libvirt-sock': No such file or directory",
                            connection),
                "see whether libvirt's daemon runs");
  }
  if (found->second.unknown) return std::unexpected(*found->second.unknown);
  return &found->second.domains;
}

Result<SimDomains::Found> SimDomains::find(const std::string& connection, const std::string& name) {
  if (auto reached = reach(connection); !reached) return fail(std::move(reached));
  auto& domains = host_.domains.at(connection).domains;
  const auto at = domains.find(name);
  if (at == domains.end()) {
    return fail(ErrorKind::not_found, fmt::format("cannot find domain {}: Domain not found: no domain with "
                                                  "matching name '{}'",
                                                  name, name));
  }
  return Found{domains, at};
}

Result<std::vector<Domain>> SimDomains::domains(const std::string& connection) const {
  auto reached = reach(connection);
  if (!reached) return fail(std::move(reached));
  std::vector<Domain> shown;
  for (const auto& [name, domain] : **reached) shown.push_back(shown_domain(name, domain));
  return shown;
}

Result<Domain> SimDomains::domain(const std::string& connection, const std::string& name) const {
  auto all = domains(connection);
  if (!all) return fail(std::move(all));
  const auto found = std::ranges::find(*all, name, &Domain::name);
  if (found != all->end()) return std::move(*found);
  return fail(ErrorKind::not_found, fmt::format("cannot find domain {}: Domain not found: no domain with "
                                                "matching name '{}'",
                                                name, name));
}

Result<void> SimDomains::define(const std::string& connection, const std::string& xml) {
  if (auto reached = reach(connection); !reached) return fail(std::move(reached));
  const auto read = read_domain_xml(xml);
  if (!read) return std::unexpected(Error(read.error()).within("cannot define a domain"));
  auto& domains = host_.domains.at(connection).domains;
  const auto& name = read->name;
  const auto uuid = uuid_in(xml);
  for (const auto& [other_name, other] : domains) {
    const std::string other_uuid = uuid_of_domain(other_name, other.definition);
    if (other_name == name && uuid != other_uuid) {
      return cannot(
          "define", name, ErrorKind::io,
          fmt::format("operation failed: domain '{}' already exists with uuid {}", name, other_uuid));
    }
    if (other_name != name && uuid == other_uuid) {
      return cannot("define", name, ErrorKind::io,
                    fmt::format("operation failed: domain '{}' is already defined with uuid {}", other_name,
                                other_uuid));
    }
  }
  auto& domain = domains[name];
  domain.persistent = true;
  keep_guest(domain, xml);
  return {};
}

Result<void> SimDomains::start(const std::string& connection, const std::string& name) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  if (found->domain().running) return {};
  return run(*found);
}

Result<void> SimDomains::run(const Found& found) {
  auto& domain = found.domain();
  const auto xml = read_domain_xml(live_xml(domain));
  if (!xml) return cannot("start", found.name(), xml.error());
  if (auto taken = devices_.take(xml->host_devices); !taken)
    return cannot("start", found.name(), taken.error());
  domain.running = true;
  domain.saved = false;
  return {};
}

void SimDomains::end(const Found& found) {
  auto& domain = found.domain();
  const auto devices = guest_devices(domain);
  domain.running = false;
  if (!domain.saved) domain.live.reset();
  end_guest_processes(host_, found.name());
  devices_.give_back(devices);
  if (!domain.persistent) found.of_connection.erase(found.at);
}

Result<void> SimDomains::shut_down(const std::string& connection, const std::string& name,
                                   std::chrono::seconds limit) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  if (!found->domain().running) return {};
  if (found->domain().ignores_shutdown) {
    clock_.advance(limit);
    return cannot("shut down", name, ErrorKind::timed_out,
                  fmt::format("it still runs after {} s", limit.count()));
  }
  end(*found);
  return {};
}

Result<void> SimDomains::managed_save(const std::string& connection, const std::string& name) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  auto& domain = found->domain();
  if (!domain.running) return cannot("save", name, ErrorKind::busy, not_running);
  if (!domain.persistent) {
    return cannot("save", name, ErrorKind::busy,
                  "Requested operation is not valid: cannot do managed save for transient domain");
  }
  if (const auto devices = guest_devices(domain); !devices.empty()) {
    return cannot("save", name, ErrorKind::unsupported,
                  fmt::format("Requested operation is not valid: cannot migrate a domain with <hostdev "
                              "mode='subsystem' type='{}'>",
                              devices.front().is_pci() ? "pci" : "mdev"));
  }
  domain.saved = true;
  end(*found);
  return {};
}

Result<void> SimDomains::destroy(const std::string& connection, const std::string& name) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  if (found->domain().running) end(*found);
  return {};
}

Result<void> SimDomains::set_autostart(const std::string& connection, const std::string& name, bool on) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  if (!found->domain().persistent) {
    return cannot("set autostart of", name, ErrorKind::busy,
                  "Requested operation is not valid: cannot set autostart for transient domain");
  }
  found->domain().autostart = on;
  return {};
}

Result<void> SimDomains::attach(const std::string& connection, const std::string& name,
                                const std::string& device_xml) {
  constexpr const char* action = "attach a device to";
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  auto& domain = found->domain();
  if (!domain.running) return cannot(action, name, ErrorKind::busy, not_running);
  const auto device = device_in(device_xml);
  if (!device) return cannot(action, name, device.error());
  auto xml = with_host_devices(live_xml(domain), {}, {}, {device->element});
  if (!xml) return cannot(action, name, xml.error());
  if (auto taken = devices_.take({*device}); !taken) return cannot(action, name, taken.error());
  set_live(domain, std::move(*xml));
  return {};
}

Result<void> SimDomains::detach(const std::string& connection, const std::string& name,
                                const std::string& device_xml, std::chrono::seconds limit) {
  constexpr const char* action = "detach a device from";
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  auto& domain = found->domain();
  if (!domain.running) return cannot(action, name, ErrorKind::busy, not_running);
  const auto wanted = device_in(device_xml);
  if (!wanted) return cannot(action, name, wanted.error());
  const auto devices = guest_devices(domain);
  const auto device = find_device(devices, *wanted);
  if (device == devices.end()) {
    return cannot(
        action, name, ErrorKind::not_found,
        fmt::format("device not found: {} {} not found",
                    wanted->is_pci() ? "host pci device" : "mediated device", to_string(wanted->device)));
  }
  if (domain.refuses_detach) {
    clock_.advance(limit);
    return cannot(
        action, name, ErrorKind::timed_out,
        fmt::format("the guest has not let go of {} after {} s", to_string(wanted->device), limit.count()));
  }
  auto xml = with_host_devices(live_xml(domain), {wanted->device}, {}, {});
  if (!xml) return cannot(action, name, xml.error());
  set_live(domain, std::move(*xml));
  if (const auto group = iommu_group(files_, wanted->device)) close_vfio_group(host_, name, *group);
  devices_.give_back({*device});
  return {};
}

void SimDomains::boot() {
  forget_processes(host_);
  for (auto& [uri, connection] : host_.domains) {
    std::erase_if(connection.domains, [](const auto& entry) { return !entry.second.persistent; });
    for (auto& [name, domain] : connection.domains) {
      domain.running = false;
      if (!domain.saved) domain.live.reset();
    }
  }
  if (!libvirt_runs(host_)) return;
  for (auto& [uri, connection] : host_.domains) {
    for (auto at = connection.domains.begin(); at != connection.domains.end(); ++at) {
      // One that cannot start stays off, and libvirt says so in its log.
      if (at->second.autostart) static_cast<void>(run({connection.domains, at}));
    }
  }
}

}  // namespace gpuhost
