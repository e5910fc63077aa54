#include "host/real/lazy_libvirt.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace gpuhost {

namespace {

constexpr std::string_view test_scheme = "test:///";

/// The driver of "qemu:///system", or nothing for any other form: other hosts and users' own daemons.
std::string_view system_driver(std::string_view connection) {
  constexpr std::string_view rest = ":///system";
  if (!connection.ends_with(rest)) return {};
  const auto driver = connection.substr(0, connection.size() - rest.size());
  const bool plain = std::ranges::all_of(driver, [](char c) { return c >= 'a' && c <= 'z'; });
  return plain ? driver : std::string_view{};
}

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace

LazyLibvirt::LazyLibvirt(std::string library, std::string run)
    : library_("libvirt", std::move(library)), run_(std::move(run)) {}

Result<Libvirt*> LazyLibvirt::reach(const std::string& connection, const char* socket_suffix) const {
  if (connection.starts_with(test_scheme)) return library_.get();
  const auto driver = system_driver(connection);
  if (driver.empty())
    return fail(ErrorKind::unsupported,
                fmt::format("cannot use the libvirt connection '{}': it is not to this host's own libvirt",
                            connection),
                "use qemu:///system");
  // One daemon for all drivers, or one for each. Source: https://libvirt.org/daemons.html, "Sockets".
  const auto common = fmt::format("{}/libvirt-sock{}", run_, socket_suffix);
  const auto modular = fmt::format("{}/virt{}d-sock{}", run_, driver, socket_suffix);
  if (!is_there(common) && !is_there(modular))
    return fail(ErrorKind::unavailable,
                fmt::format("libvirt does not run here: there is neither {} nor {}", common, modular),
                fmt::format("install libvirt, or start libvirtd.socket or virt{}d.socket", driver));
  return library_.get();
}

Result<Libvirt*> LazyLibvirt::reader(const std::string& connection) const {
  return reach(connection, "-ro");
}

Result<Libvirt*> LazyLibvirt::writer(const std::string& connection) const {
  return reach(connection, "");
}

Result<std::vector<Domain>> LazyLibvirt::domains(const std::string& connection) const {
  return with(reader(connection), [&](Libvirt& libvirt) { return libvirt.domains(connection); });
}

Result<Domain> LazyLibvirt::domain(const std::string& connection, const std::string& name) const {
  return with(reader(connection), [&](Libvirt& libvirt) { return libvirt.domain(connection, name); });
}

Result<std::string> LazyLibvirt::full_definition(const std::string& connection, const std::string& name) {
  return with(writer(connection),
              [&](Libvirt& libvirt) { return libvirt.full_definition(connection, name); });
}

Result<void> LazyLibvirt::define(const std::string& connection, const std::string& xml) {
  return with(writer(connection), [&](Libvirt& libvirt) { return libvirt.define(connection, xml); });
}

Result<void> LazyLibvirt::start(const std::string& connection, const std::string& name) {
  return with(writer(connection), [&](Libvirt& libvirt) { return libvirt.start(connection, name); });
}

Result<void> LazyLibvirt::shut_down(const std::string& connection, const std::string& name,
                                    std::chrono::seconds limit) {
  return with(writer(connection),
              [&](Libvirt& libvirt) { return libvirt.shut_down(connection, name, limit); });
}

Result<void> LazyLibvirt::managed_save(const std::string& connection, const std::string& name) {
  return with(writer(connection), [&](Libvirt& libvirt) { return libvirt.managed_save(connection, name); });
}

Result<void> LazyLibvirt::destroy(const std::string& connection, const std::string& name) {
  return with(writer(connection), [&](Libvirt& libvirt) { return libvirt.destroy(connection, name); });
}

Result<void> LazyLibvirt::set_autostart(const std::string& connection, const std::string& name, bool on) {
  return with(writer(connection),
              [&](Libvirt& libvirt) { return libvirt.set_autostart(connection, name, on); });
}

Result<void> LazyLibvirt::attach(const std::string& connection, const std::string& name,
                                 const std::string& device_xml) {
  return with(writer(connection),
              [&](Libvirt& libvirt) { return libvirt.attach(connection, name, device_xml); });
}

Result<void> LazyLibvirt::detach(const std::string& connection, const std::string& name,
                                 const std::string& device_xml, std::chrono::seconds limit) {
  return with(writer(connection),
              [&](Libvirt& libvirt) { return libvirt.detach(connection, name, device_xml, limit); });
}

Result<std::string> LazyLibvirt::operating_system(const std::string& connection, const std::string& domain) {
  return with(writer(connection),
              [&](Libvirt& libvirt) { return libvirt.operating_system(connection, domain); });
}

Result<std::string> LazyLibvirt::read(const std::string& connection, const std::string& domain,
                                      const std::string& path) {
  return with(writer(connection), [&](Libvirt& libvirt) { return libvirt.read(connection, domain, path); });
}

Result<CommandResult> LazyLibvirt::run(const std::string& connection, const std::string& domain,
                                       const Command& command) {
  return with(writer(connection), [&](Libvirt& libvirt) { return libvirt.run(connection, domain, command); });
}

}  // namespace gpuhost
