#include "host/sim/recordable_domain.hpp"

#include <fmt/core.h>

#include "host/domain_xml.hpp"
#include "host/sim/shown_domain.hpp"

namespace gpuhost {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// The element by which the keeper is known, without what it says of its projects, users and images.
/// Sources: https://docs.openstack.org/nova (libvirt metadata), https://kubevirt.io (pkg/virt-launcher).
const char* element_of(DomainKeeper keeper) {
  switch (keeper) {
    case DomainKeeper::nova:
      return "  <metadata>\n"
             "    <nova:instance xmlns:nova=\"http://openstack.org/xmlns/libvirt/nova/1.1\"/>\n"
             "  </metadata>\n";
    case DomainKeeper::kubevirt:
      return "  <metadata>\n"
             "    <kubevirt xmlns=\"http://kubevirt.io\"/>\n"
             "  </metadata>\n";
    case DomainKeeper::none:
      break;
  }
  return "";
}

/// Without addresses in the guest, boot order and option ROMs.
std::string element_of(const HostDevice& device) {
  if (const auto* uuid = std::get_if<Uuid>(&device.device)) return mdev_host_device_element(*uuid);
  auto element = pci_host_device_element(std::get<PciAddress>(device.device));
  constexpr std::string_view unmanaged = "managed='no'";
  if (device.managed) element.replace(element.find(unmanaged), unmanaged.size(), "managed='yes'");
  return element;
}

}  // namespace

std::string recordable_domain_xml(std::string_view xml) {
  const auto read = read_domain_xml(xml);
  if (!read) return "not recorded: this is no domain's XML\n";
  std::string out = fmt::format("<domain>\n  <name>{}</name>\n", escaped(read->name));
  if (const auto uuid = uuid_in(xml)) out += fmt::format("  <uuid>{}</uuid>\n", *uuid);
  out += element_of(read->keeper);
  if (read->host_devices.empty()) return out + "  <devices/>\n</domain>\n";
  out += "  <devices>\n";
  for (const auto& device : read->host_devices) out += fmt::format("    {}\n", element_of(device));
  return out + "  </devices>\n</domain>\n";
}

HostFile::Domain recordable(const Domain& domain) {
  HostFile::Domain recorded;
  recorded.running = domain.running;
  recorded.saved = domain.saved;
  recorded.persistent = domain.persistent;
  recorded.autostart = domain.autostart && domain.persistent;
  recorded.definition = recordable_domain_xml(domain.persistent ? domain.definition : domain.live);
  if (!domain.live.empty()) recorded.live = recordable_domain_xml(domain.live);
  if (recorded.live == recorded.definition) recorded.live.reset();
  return recorded;
}

}  // namespace gpuhost
