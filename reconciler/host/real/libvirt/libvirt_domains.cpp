#include "host/real/libvirt/libvirt_domains.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include "host/real/libvirt/domain_events.hpp"
#include "host/real/libvirt/qemu_agent.hpp"
#include "host/real/libvirt/session.hpp"

namespace gpuhost {

namespace {

using Access = LibvirtSession::Access;

/// The domain of a call, and the connection that it came from.
struct Opened {
  LibvirtSession session;
  DomainHandle domain;
  [[nodiscard]] virDomainPtr get() const noexcept { return domain.get(); }
};

Result<Opened> open(const std::string& connection, const std::string& name, Access access) {
  auto session = LibvirtSession::open(connection, access);
  if (!session) return fail(std::move(session));
  auto domain = session->domain(name);
  if (!domain) return fail(std::move(domain));
  return Opened{std::move(*session), std::move(*domain)};
}

/// What libvirt answers to a yes or no question about a domain.
Result<bool> answer(int said, const std::string& name) {
  if (said < 0) return std::unexpected(libvirt_error("read the state of domain", name));
  return said != 0;
}

/// A domain that is not there any more does not run: a transient one goes when it ends.
Result<bool> runs(virDomainPtr domain, const std::string& name) {
  auto active = answer(virDomainIsActive(domain), name);
  if (!active && active.error().kind == ErrorKind::not_found) return false;
  return active;
}

Result<std::string> xml_of(virDomainPtr domain, unsigned flags, const std::string& name) {
  const OwnedText xml(virDomainGetXMLDesc(domain, flags));
  if (!xml) return std::unexpected(libvirt_error("read the definition of domain", name));
  return std::string(xml.get());
}

Result<std::string> uuid_of(virDomainPtr domain, const std::string& name) {
  std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
  if (virDomainGetUUIDString(domain, uuid.data()) != 0)
    return std::unexpected(libvirt_error("read the UUID of domain", name));
  return std::string(uuid.data());
}

/// What only a persistent domain has.
Result<void> read_persistent_part(virDomainPtr handle, Domain& domain) {
  auto definition = xml_of(handle, VIR_DOMAIN_XML_INACTIVE, domain.name);
  if (!definition) return fail(std::move(definition));
  int autostart = 0;
  if (virDomainGetAutostart(handle, &autostart) != 0)
    return std::unexpected(libvirt_error("read the autostart of domain", domain.name));
  domain.definition = std::move(*definition);
  domain.autostart = autostart != 0;
  return {};
}

/// A domain that is off may have the memory of its guest saved.
Result<Domain> read_saved_part(virDomainPtr handle, Domain domain) {
  auto saved = answer(virDomainHasManagedSaveImage(handle, 0), domain.name);
  if (!saved) return fail(std::move(saved));
  domain.saved = *saved;
  if (!domain.saved) return domain;
  // One saved guest that cannot be read is no reason not to tell of all domains.
  if (const OwnedText xml(virDomainManagedSaveGetXMLDesc(handle, 0)); xml) domain.live = xml.get();
  return domain;
}

/// not_found: it went away meanwhile.
Result<Domain> read_domain(virDomainPtr handle) {
  Domain domain;
  domain.name = virDomainGetName(handle);
  auto uuid = uuid_of(handle, domain.name);
  auto persistent = answer(virDomainIsPersistent(handle), domain.name);
  auto running = answer(virDomainIsActive(handle), domain.name);
  if (!uuid) return fail(std::move(uuid));
  if (!persistent) return fail(std::move(persistent));
  if (!running) return fail(std::move(running));
  domain.uuid = std::move(*uuid);
  domain.persistent = *persistent;
  domain.running = *running;
  if (domain.persistent) {
    if (auto done = read_persistent_part(handle, domain); !done) return fail(std::move(done));
  }
  if (!domain.running && domain.persistent) return read_saved_part(handle, std::move(domain));
  if (domain.running) {
    auto live = xml_of(handle, 0, domain.name);
    if (!live) return fail(std::move(live));
    domain.live = std::move(*live);
  }
  return domain;
}

/// All domains of a connection, freed with it.
class DomainList {
 public:
  explicit DomainList(virConnectPtr connection)
      : count_(virConnectListAllDomains(connection, &domains_, 0)) {}
  DomainList(const DomainList&) = delete;
  DomainList& operator=(const DomainList&) = delete;
  ~DomainList() {
    for (auto* const domain : all()) virDomainFree(domain);
    std::free(domains_);
  }
  [[nodiscard]] bool failed() const { return count_ < 0; }
  [[nodiscard]] std::span<const virDomainPtr> all() const {
    return {domains_, static_cast<std::size_t>(std::max(count_, 0))};
  }

 private:
  virDomainPtr* domains_ = nullptr;
  int count_;
};

/// The outcome of a call that changes a domain: `code` is what libvirt returned. A refusal does not matter if
/// the domain runs, or does not run, as wanted.
Result<void> changed(int code, const std::string& action, const Opened& opened, const std::string& name,
                     bool running_wanted) {
  if (code == 0) return {};
  auto error = libvirt_error(action, "domain " + name);
  const auto running = runs(opened.get(), name);
  if (running && *running == running_wanted) return {};
  return std::unexpected(std::move(error));
}

/// The outcome of a call on which nothing else bears.
Result<void> succeeded(int code, const std::string& action, const std::string& object) {
  if (code == 0) return {};
  return std::unexpected(libvirt_error(action, object));
}

constexpr const char* removal_advice = "see what uses the device in the guest, or shut the guest down";

enum class Removal { under_way, done };

/// Asks the guest to let go of a device; done: the running guest does not have it.
Result<Removal> request_detach(const Opened& opened, const std::string& name, const std::string& device_xml) {
  if (virDomainDetachDeviceFlags(opened.get(), device_xml.c_str(), VIR_DOMAIN_AFFECT_LIVE) == 0)
    return Removal::under_way;
  auto error = libvirt_error("detach a device from", "domain " + name);
  if (error.kind == ErrorKind::not_found) return Removal::done;
  if (const auto running = runs(opened.get(), name); running && !*running) return Removal::done;
  return std::unexpected(std::move(error));
}

/// Asks the agent of a running guest, over one connection.
template <class Talk>
auto with_agent(const std::string& connection, const std::string& name, Talk talk)
    -> decltype(talk(std::declval<const QemuAgent&>())) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  const QemuAgent agent(
      "guest " + name, [&](const std::string& command, std::chrono::seconds limit) -> Result<std::string> {
        const OwnedText answer(
            virDomainQemuAgentCommand(opened->get(), command.c_str(), static_cast<int>(limit.count()), 0));
        if (!answer) return std::unexpected(libvirt_error("ask the agent of", name));
        return std::string(answer.get());
      });
  return talk(agent);
}

}  // namespace

Result<std::vector<Domain>> LibvirtDomains::domains(const std::string& connection) const {
  auto session = LibvirtSession::open(connection, Access::read);
  if (!session) return fail(std::move(session));
  const DomainList list(session->get());
  if (list.failed()) return std::unexpected(libvirt_error("list the domains of", connection));
  std::vector<Domain> found;
  for (auto* const handle : list.all()) {
    auto domain = read_domain(handle);
    if (domain)
      found.push_back(std::move(*domain));
    else if (domain.error().kind != ErrorKind::not_found)
      return fail(std::move(domain));
  }
  std::ranges::sort(found, {}, &Domain::name);
  return found;
}

Result<Domain> LibvirtDomains::domain(const std::string& connection, const std::string& name) const {
  const auto opened = open(connection, name, Access::read);
  if (!opened) return std::unexpected(opened.error());
  return read_domain(opened->get());
}

Result<std::string> LibvirtDomains::full_definition(const std::string& connection, const std::string& name) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  auto persistent = answer(virDomainIsPersistent(opened->get()), name);
  if (!persistent) return fail(std::move(persistent));
  if (!*persistent)
    return fail(ErrorKind::unsupported,
                fmt::format("domain {} is transient: it has no definition for a next start", name));
  return xml_of(opened->get(), VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE, name);
}

Result<void> LibvirtDomains::define(const std::string& connection, const std::string& xml) {
  const auto session = LibvirtSession::open(connection, Access::change);
  if (!session) return std::unexpected(session.error());
  const DomainHandle defined(virDomainDefineXML(session->get(), xml.c_str()));
  return succeeded(defined ? 0 : -1, "define", "a domain of " + connection);
}

Result<void> LibvirtDomains::start(const std::string& connection, const std::string& name) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  return changed(virDomainCreate(opened->get()), "start", *opened, name, true);
}

Result<void> LibvirtDomains::shut_down(const std::string& connection, const std::string& name,
                                       std::chrono::seconds limit) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  const Deadline deadline(limit);
  const auto events = DomainEvents::of_life(opened->session.get(), opened->get());
  if (!events) return std::unexpected(events.error());
  if (auto asked = changed(virDomainShutdown(opened->get()), "shut down", *opened, name, false); !asked)
    return asked;
  for (bool in_time = true;; in_time = events->await(deadline)) {
    auto running = runs(opened->get(), name);
    if (!running) return fail(std::move(running));
    if (!*running) return {};
    if (!in_time) break;
  }
  return fail(
      ErrorKind::timed_out,
      fmt::format("cannot shut down domain {}: its guest did not end within {} s", name, limit.count()),
      "see whether the guest answers to ACPI's power button, or shut it down from the inside");
}

Result<void> LibvirtDomains::managed_save(const std::string& connection, const std::string& name) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  auto saved = changed(virDomainManagedSave(opened->get(), 0), "save", *opened, name, false);
  // So libvirt says of host devices, and of transient domains.
  if (!saved && saved.error().kind == ErrorKind::busy)
    return fail(ErrorKind::unsupported, std::move(saved.error().message), "shut it down instead");
  return saved;
}

Result<void> LibvirtDomains::destroy(const std::string& connection, const std::string& name) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  return changed(virDomainDestroy(opened->get()), "destroy", *opened, name, false);
}

Result<void> LibvirtDomains::set_autostart(const std::string& connection, const std::string& name, bool on) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  return succeeded(virDomainSetAutostart(opened->get(), on ? 1 : 0), "set the autostart of",
                   "domain " + name);
}

Result<void> LibvirtDomains::attach(const std::string& connection, const std::string& name,
                                    const std::string& device_xml) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  return succeeded(virDomainAttachDeviceFlags(opened->get(), device_xml.c_str(), VIR_DOMAIN_AFFECT_LIVE),
                   "attach a device to", "domain " + name);
}

Result<void> LibvirtDomains::detach(const std::string& connection, const std::string& name,
                                    const std::string& device_xml, std::chrono::seconds limit) {
  const auto opened = open(connection, name, Access::change);
  if (!opened) return std::unexpected(opened.error());
  const Deadline deadline(limit);
  const auto events = DomainEvents::of_devices(opened->session.get(), opened->get());
  if (!events) return std::unexpected(events.error());
  // Which device an event is about, it tells by a name of libvirt's own. So libvirt is asked again: that it
  // knows no such device says that ours is gone; all else, that its removal is still under way.
  auto requested = request_detach(*opened, name, device_xml);
  if (!requested) return fail(std::move(requested));
  while (*requested == Removal::under_way && events->await(deadline)) {
    if (events->removal_was_refused())
      return fail(
          ErrorKind::busy,
          fmt::format("cannot detach a device from domain {}: its guest refuses to let go of it", name),
          removal_advice);
    requested = request_detach(*opened, name, device_xml).value_or(Removal::under_way);
  }
  if (*requested == Removal::done) return {};
  return fail(ErrorKind::timed_out,
              fmt::format("cannot detach a device from domain {}: its guest did not let go of it within {} s",
                          name, limit.count()),
              removal_advice);
}

Result<std::string> LibvirtDomains::operating_system(const std::string& connection,
                                                     const std::string& domain) {
  return with_agent(connection, domain, [](const QemuAgent& agent) { return agent.operating_system(); });
}

Result<std::string> LibvirtDomains::read(const std::string& connection, const std::string& domain,
                                         const std::string& path) {
  return with_agent(connection, domain, [&](const QemuAgent& agent) { return agent.read(path); });
}

Result<CommandResult> LibvirtDomains::run(const std::string& connection, const std::string& domain,
                                          const Command& command) {
  return with_agent(connection, domain, [&](const QemuAgent& agent) { return agent.run(command); });
}

}  // namespace gpuhost
