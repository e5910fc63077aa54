#include "host/sim/sim_domains.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/shown_domain.hpp"
#include "host/sim/sim_guests.hpp"
#include "host/sim/sim_processes.hpp"

namespace gpuhost {

namespace {

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

Result<std::string> SimDomains::full_definition(const std::string& connection, const std::string& name) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  if (found->domain().persistent) return with_uuid(found->domain().definition, name);
  return fail(ErrorKind::unsupported,
              fmt::format("domain {} is transient: it has no definition for a next start", name));
}

Result<void> SimDomains::define(const std::string& connection, const std::string& xml) {
  if (auto reached = reach(connection); !reached) return fail(std::move(reached));
  const auto refused = [&](ErrorKind kind, const std::string& why) {
    return fail(kind, fmt::format("cannot define a domain of {}: {}", connection, why));
  };
  const auto read = read_domain_xml(xml);
  if (!read) return refused(ErrorKind::invalid, "XML error: " + read.error().message);
  auto& domains = host_.domains.at(connection).domains;
  const auto& name = read->name;
  const auto uuid = uuid_in(xml);
  for (const auto& [other_name, other] : domains) {
    const std::string other_uuid = uuid_of_domain(other_name, other.definition);
    if ((other_name == name) == (uuid == other_uuid)) continue;
    return refused(ErrorKind::io,
                   fmt::format("operation failed: domain '{}' {} with uuid {}", other_name,
                               other_name == name ? "already exists" : "is already defined", other_uuid));
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
  if (auto taken = devices_.take(found.name(), xml->host_devices); !taken)
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
    clock_.take(limit);
    return std::unexpected(Error{
        ErrorKind::timed_out,
        fmt::format("cannot shut down domain {}: its guest did not end within {} s", name, limit.count()),
        "see whether the guest answers to ACPI's power button, or shut it down from the inside"});
  }
  end(*found);
  return {};
}

Result<void> SimDomains::managed_save(const std::string& connection, const std::string& name) {
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  auto& domain = found->domain();
  if (!domain.running) return {};
  const auto refused = [&](const std::string& why) {
    return fail(ErrorKind::unsupported,
                fmt::format("cannot save domain {}: Requested operation is not valid: {}", name, why),
                "shut it down instead");
  };
  if (!domain.persistent) return refused("cannot do managed save for transient domain");
  if (const auto devices = guest_devices(domain); !devices.empty()) {
    return refused(fmt::format("cannot migrate a domain with <hostdev mode='subsystem' type='{}'>",
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
    return cannot("set the autostart of", name, ErrorKind::busy,
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
  if (!domain.running)
    return cannot(action, name, ErrorKind::busy, "Requested operation is not valid: domain is not running");
  const auto device = device_in(device_xml);
  if (!device) return cannot(action, name, device.error());
  auto xml = with_host_devices(live_xml(domain), {}, {}, {device->element});
  if (!xml) return cannot(action, name, xml.error());
  if (auto taken = devices_.take(name, {*device}); !taken) return cannot(action, name, taken.error());
  set_live(domain, std::move(*xml));
  return {};
}

Result<void> SimDomains::detach(const std::string& connection, const std::string& name,
                                const std::string& device_xml, std::chrono::seconds limit) {
  constexpr const char* action = "detach a device from";
  const auto found = find(connection, name);
  if (!found) return std::unexpected(found.error());
  auto& domain = found->domain();
  if (!domain.running) return {};
  const auto wanted = device_in(device_xml);
  if (!wanted) return cannot(action, name, wanted.error());
  const auto devices = guest_devices(domain);
  const auto device = std::ranges::find(devices, wanted->device, &HostDevice::device);
  if (device == devices.end()) return {};
  if (domain.refuses_detach) {
    clock_.take(limit);
    return fail(
        ErrorKind::timed_out,
        fmt::format("cannot detach a device from domain {}: its guest did not let go of it within {} s", name,
                    limit.count()),
        "see what uses the device in the guest, or shut the guest down");
  }
  auto xml = with_host_devices(live_xml(domain), {wanted->device}, {}, {});
  if (!xml) return cannot(action, name, xml.error());
  set_live(domain, std::move(*xml));
  if (const auto group = iommu_group(files_, wanted->device)) close_vfio_group(host_, name, *group);
  devices_.give_back({*device});
  return {};
}

void SimDomains::power_off() {
  forget_processes(host_);
  for (auto& [uri, connection] : host_.domains) {
    std::erase_if(connection.domains, [](const auto& entry) { return !entry.second.persistent; });
    for (auto& [name, domain] : connection.domains) {
      domain.running = false;
      if (!domain.saved) domain.live.reset();
    }
  }
}

void SimDomains::power_on() {
  if (!libvirt_runs(host_)) return;
  for (auto& [uri, connection] : host_.domains) {
    for (auto at = connection.domains.begin(); at != connection.domains.end(); ++at) {
      // One that cannot start stays off, and libvirt says so in its log.
      if (at->second.autostart) static_cast<void>(run({connection.domains, at}));
    }
  }
}

}  // namespace gpuhost
