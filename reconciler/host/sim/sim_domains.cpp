#include "host/sim/sim_domains.hpp"

namespace gpuhost {

namespace {

std::unexpected<Error> none() {
  return fail(ErrorKind::unavailable, "libvirt cannot be reached: no socket");
}

}  // namespace

Result<std::vector<Domain>> SimDomains::domains(const std::string&) const {
  return none();
}
Result<Domain> SimDomains::domain(const std::string&, const std::string&) const {
  return none();
}
Result<std::string> SimDomains::full_definition(const std::string& connection, const std::string& name) {
  auto found = domain(connection, name);
  if (!found) return fail(std::move(found));
  return found->definition;
}
Result<void> SimDomains::define(const std::string&, const std::string&) {
  return none();
}
Result<void> SimDomains::start(const std::string&, const std::string&) {
  return none();
}
Result<void> SimDomains::shut_down(const std::string&, const std::string&, std::chrono::seconds) {
  return none();
}
Result<void> SimDomains::managed_save(const std::string&, const std::string&) {
  return none();
}
Result<void> SimDomains::destroy(const std::string&, const std::string&) {
  return none();
}
Result<void> SimDomains::set_autostart(const std::string&, const std::string&, bool) {
  return none();
}
Result<void> SimDomains::attach(const std::string&, const std::string&, const std::string&) {
  return none();
}
Result<void> SimDomains::detach(const std::string&, const std::string&, const std::string&,
                                std::chrono::seconds) {
  return none();
}

}  // namespace gpuhost
