#include "host/sim/sim_guests.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr const char* libvirt_units[] = {"libvirtd.service", "libvirtd.socket", "virtqemud.service",
                                         "virtqemud.socket"};

constexpr std::string_view digits_and_letters =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::optional<std::string> link_name(const SimFiles& files, const std::string& path) {
  const auto target = files.link_target(path);
  return target ? std::optional(std::string(last_part(*target))) : std::nullopt;
}

/// What of a domain's name may stand in a host name.
std::string machine_name_part(std::string_view name) {
  std::string part;
  bool after_separator = true;
  for (const char c : name) {
    const bool separator = c == '-' || c == '.';
    if (separator ? !after_separator : digits_and_letters.find(c) != std::string_view::npos) part += c;
    after_separator = separator;
  }
  part.resize(part.find_last_not_of("-.") + 1);
  return part;
}

/// As systemd escapes the name of a unit.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (digits_and_letters.find(c) != std::string_view::npos || c == ':' || c == '_' ||
        (c == '.' && !out.empty())) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

const std::string scope_start = "/machine.slice/machine-qemu\\x2d";

}  // namespace

bool libvirt_runs(const HostFile& host) {
  bool listed = false;
  for (const char* name : libvirt_units) {
    const auto unit = host.units.find(name);
    if (unit == host.units.end()) continue;
    if (unit->second.unknown || unit->second.state.active_state == "active") return true;
    listed = true;
  }
  return !listed;
}

const std::string& live_xml(const HostFile::Domain& domain) {
  return domain.live ? *domain.live : domain.definition;
}

std::vector<HostDevice> guest_devices(const HostFile::Domain& domain) {
  if (!domain.running) return {};
  auto xml = read_domain_xml(live_xml(domain));
  return xml ? std::move(xml->host_devices) : std::vector<HostDevice>{};
}

std::vector<SimGuest> running_guests(const HostFile& host) {
  std::vector<SimGuest> guests;
  unsigned id = 0;
  for (const auto& [uri, connection] : host.domains) {
    for (const auto& [name, domain] : connection.domains) {
      ++id;
      if (domain.running) guests.push_back({id, name, &domain});
    }
  }
  return guests;
}

std::string to_string(const DeviceName& device) {
  return std::visit([](const auto& name) { return name.to_string(); }, device);
}

std::string directory_of(const DeviceName& device) {
  const char* bus = std::holds_alternative<PciAddress>(device) ? "pci" : "mdev";
  return fmt::format("/sys/bus/{}/devices/{}", bus, to_string(device));
}

std::optional<std::string> iommu_group(const SimFiles& files, const DeviceName& device) {
  return link_name(files, directory_of(device) + "/iommu_group");
}

std::string bound_driver(const SimFiles& files, const PciAddress& address) {
  return link_name(files, directory_of(address) + "/driver").value_or("");
}

std::string guest_cgroup(unsigned id, std::string_view name) {
  return fmt::format("{}{}{}.scope", scope_start, id, escaped("-" + machine_name_part(name)));
}

bool is_cgroup_of_guest(std::string_view cgroup, std::string_view name) {
  if (!cgroup.starts_with(scope_start)) return false;
  const auto rest = cgroup.substr(scope_start.size());
  const auto id = rest.substr(0, rest.find_first_not_of("0123456789"));
  const std::string expected = escaped("-" + machine_name_part(name)) + ".scope";
  const auto scope = rest.substr(id.size());
  // libvirt makes groups of its own inside the scope.
  return !id.empty() && (scope == expected || scope.starts_with(expected + "/"));
}

}  // namespace gpuhost
